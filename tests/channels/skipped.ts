/**
 * Which cases of the contract do not apply to which kind of channel, and why. The contract skips
 * these by name and no others; `skipped.test.ts` holds the list to what is there.
 */

/** By kind, by case: why it does not apply. */
export const SKIPPED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  discord: {},
  'irc on ngIRCd': {
    CC12: 'nothing in IRC brings a line again',
    CC13: 'nothing in IRC brings a line again',
    CC16: 'IRC has no word for patience: whoever is too fast is thrown out',
  },
  'irc on InspIRCd': {
    CC12: 'nothing in IRC brings a line again',
    CC13: 'nothing in IRC brings a line again',
    CC16: 'IRC has no word for patience: whoever is too fast is thrown out',
    CC17: 'it closes with "Access denied by configuration", which may mean anything',
  },
  'telegram, polled': {},
  'telegram, posting': {
    CC7: 'a server that posts to us is asked once a minute whether it is there (TG20)',
  },
  'telegram-test-api': {
    CC4: 'this server refuses no chat (the fake does)',
    CC9: 'this server runs in our process and cannot be frozen (the fake can)',
    CC12: 'this server takes an update for read with its first fetch (the fake does not)',
    CC13: 'this server takes an update for read with its first fetch (the fake does not)',
    CC16: 'this server refuses nothing (the fake does)',
    CC17: 'this server takes any token (the fake does not)',
  },
  webhook: {
    CC4: 'a program does not say whom it knows',
    CC7: 'there is no link that could end',
    CC15: 'there is no link that could be heard of',
    CC17: 'nothing is asked for when it opens; a wrong signature is HK2 and S51',
  },
  whatsapp: {
    CC16: 'WhatsApp has no word for patience',
  },
}
