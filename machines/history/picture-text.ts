/**
 * What pictures have in common: text that is safe in markup, spans, shapes of outcomes.
 */
import type { PictureOutcome, PictureRow } from './picture.ts'

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

// What XML 1.0 cannot hold, and what turns text round or hides in it.
const UNSHOWABLE =
  // eslint-disable-next-line no-control-regex -- controls are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g

/** Makes a text safe between tags and in quoted attributes. */
export function escapeMarkup(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(UNSHOWABLE, ' ')
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

/** Characters of a name in a picture: what a record holds may be far longer. */
export const TEXT_MAX = 80

/** Cuts a name to a width: both ends stay, since ids differ at their ends. */
export function shorten(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text
  const head = Math.ceil((charsMax - 1) / 2)
  return `${text.slice(0, head)}…${text.slice(text.length - (charsMax - 1 - head))}`
}

/** Writes a span of time for people: `138 ms`, `2.36 s`, `1 min 02 s`, `3 h 20 min`. */
export function formatGap(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${Math.round(ms / 10) / 100} s`
  const minutes = Math.floor(ms / 60_000)
  const two = (count: number): string => String(count).padStart(2, '0')
  if (minutes < 60) return `${minutes} min ${two(Math.floor((ms % 60_000) / 1_000))} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${two(minutes % 60)} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Lists the streams of rows in the order in which they first appear. */
export function lanesOf(rows: readonly PictureRow[]): string[] {
  return [...new Set(rows.map(({ stream }) => stream))]
}

/** The kinds of outcome, worst first. */
export const OUTCOMES: readonly PictureOutcome[] = [
  'lost',
  'failed',
  'timeout',
  'pending',
  'cancelled',
  'done',
]
