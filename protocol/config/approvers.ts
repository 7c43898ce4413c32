/**
 * `channels.<name>.execApprovals`, upstream's key: who decides there what waits for a person, where it
 * is not simply whom `allowFrom` lists by id.
 */
import { array, object, optional, type Struct } from 'superstruct'
import { leaf, unread } from './leaves.ts'

/** Who may decide. */
export interface ExecApprovals {
  readonly enabled?: boolean | 'auto' | undefined // false: nobody, from this channel
  readonly approvers?: readonly (string | number)[] | undefined
}

/** The key's shape; ids are the platform's. */
export const execApprovals = <T extends string | number>(id: () => Struct<T, null>) =>
  object({
    enabled: optional(
      leaf<boolean | 'auto'>(
        'true, false or "auto"',
        (value) => typeof value === 'boolean' || value === 'auto',
      ),
    ),
    approvers: optional(array(id())),
    target: unread(),
    agentFilter: unread(),
    sessionFilter: unread(),
    cleanupAfterResolve: unread(),
  })

/** Reads who may decide; nothing: whom the channel's own `allowFrom` lists by id. */
export function approversOf(
  { enabled, approvers }: ExecApprovals = {},
  plain: (id: string) => string = String,
): { readonly approvers?: readonly string[] } {
  if (enabled === false) return { approvers: [] }
  return approvers === undefined ? {} : { approvers: approvers.map((id) => plain(String(id))) }
}
