/**
 * Bounds of approvals: what waits for a person, and how people answer.
 *
 * Part of `limits`, which is how code reads them.
 */

export const approvalLimits = {
  approvalsWaitingMax: 64, // Of the whole house: a list that can still be read.
  approvalsPageMax: 100, // Rows of one page of those that ended; upstream's.
  approvalWaitersMax: 1_000, // Who wait for decisions, about 1 KB each.
  approvalMsDefault: 1_800_000, // Upstream's: half an hour to look at a phone.
  approvalMsMax: 24 * 3_600_000, // What nobody has looked at in a day is asked anew.
  approvalArgumentsMax: 1_024, // Words of one command.
  approvalVariablesMax: 256, // Of its environment.
  approvalPrefixCharsMin: 8, // Of an id, as people write it on a phone: 32 bits, of 64 that wait.
  approvalsRememberedMax: 4_096, // Newest ids among which one is found by its beginning: 0.5 MB.
  approvalNoticeCharsMax: 1_200, // Of the arguments in the question that is sent to a phone: 4 IRC lines.
  grantsMax: 256, // Calls that are allowed without asking: a list that can still be read.
} as const
