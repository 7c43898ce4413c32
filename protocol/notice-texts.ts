/**
 * Notices in a channel: the few fixed texts that the gateway itself says to people on a platform.
 *
 * Generic on purpose: a room may be full of strangers, and no name of a model, no class of a fault
 * and no path is theirs to know.
 */
const TEXTS = {
  'run.failed': 'Sorry, I could not answer that. Please try again later.',
  'run.budget': 'Sorry, I have used up what I may spend for now. Please try again later.',
} as const

/** The name of a notice, as events carry it. */
export type NoticeName = keyof typeof TEXTS

/** Reads the text of a notice; one that is not known, of a later version, is told as the first. */
export function noticeText(name: NoticeName): string {
  return Object.hasOwn(TEXTS, name) ? TEXTS[name] : TEXTS['run.failed']
}
