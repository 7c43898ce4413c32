/** Calls of tools in words: what a model, and whoever looks on, is told where a call has no result. */

const FAULTS: Readonly<Record<string, string>> = {
  approval: 'This call was not made: a person must be asked for it, and nobody was to be.',
  denied: 'This call was not made: the gateway’s policy does not allow it.',
  refused: 'This call was not made: a person was asked and refused it.',
  expired: 'This call was not made: a person was asked, and nobody answered in time.',
  cancelled: 'This call was not made: the question whether it may be was withdrawn.',
  aborted: 'This call was stopped, because its run was; it may have been done in part.',
  timeout: 'This call took too long and was stopped; it may or may not have been done.',
  lost: 'The gateway stopped during this call; it may or may not have been done.',
  internal: 'The gateway failed at this call; it may or may not have been done.',
  gone: 'This tool went away during the call; it may or may not have been done.',
  unavailable: 'This call was not made: the tool is not there now.',
  unknown: 'This call was not made: there is no tool of this name.',
  busy: 'This call was not made: too many calls wait for a person already.',
  arguments: 'This call was not made: its arguments do not fit the tool.',
}

/** Says why a call has no result of its tool's. */
export function sayCallFault(fault: string): string {
  const known = Object.hasOwn(FAULTS, fault) ? FAULTS[fault] : undefined
  return known ?? `This call gave no result (${fault}).`
}
