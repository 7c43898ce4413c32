/**
 * Scopes and roles: what a connection may do, and how little of what it asks for it gets.
 *
 *   granted = what was asked for, if the device's grant AND the ceiling of the door allow it all
 *
 * Names are upstream's. `operator.admin` holds every other scope, `operator.write` holds reading.
 * Nothing asked for is not everything: `[]` grants nothing, only a missing list means all there is.
 */

export const SCOPES = [
  'operator.admin',
  'operator.approvals',
  'operator.history',
  'operator.pairing',
  'operator.questions',
  'operator.read',
  'operator.talk',
  'operator.write',
] as const

export type Scope = (typeof SCOPES)[number]

export const ROLES = ['client', 'node'] as const

export type Role = (typeof ROLES)[number]

/** What the owner may do (decisions.md 18). */
export const OWNER_SCOPES: readonly Scope[] = SCOPES

/** What a device gets that asked for nothing in particular and was approved by a person or a code. */
export const GUEST_SCOPES: readonly Scope[] = ['operator.read', 'operator.write']

const NAMES: ReadonlySet<string> = new Set(SCOPES)

/** Tells whether a text names a scope. */
export function isScope(text: string): text is Scope {
  return NAMES.has(text)
}

/** Tells whether scopes that are held allow what one scope allows. */
export function allows(held: readonly string[], scope: string): boolean {
  if (held.includes(scope)) return true
  if (isScope(scope) && held.includes('operator.admin')) return true
  return scope === 'operator.read' && held.includes('operator.write')
}

/** Lists what of some scopes the scopes that are held do not allow. */
export function beyond(held: readonly string[], wanted: readonly string[]): string[] {
  return wanted.filter((scope) => !allows(held, scope))
}

/** What a door lets anybody do who comes through it. */
export interface Door {
  readonly role: Role
  readonly direct: boolean // loopback, no Origin, no forwarding header
  readonly secured: boolean // a shared secret is configured
}

/**
 * Tells the most that a door allows: a node has no scopes; without a secret configured nobody
 * administers from elsewhere.
 */
export function ceilingOf({ role, direct, secured }: Door): readonly Scope[] {
  if (role === 'node') return []
  return direct || secured ? OWNER_SCOPES : GUEST_SCOPES
}

/** What a connection is given; `missing` names what it asked for in vain, and then it gets nothing. */
export interface Grant {
  readonly scopes: readonly Scope[]
  readonly missing: readonly string[]
}

/** Grants the least of what was asked for, what the device was granted, and the ceiling. */
export function grantScopes(
  requested: readonly string[] | undefined,
  granted: readonly string[],
  ceiling: readonly Scope[],
): Grant {
  if (requested === undefined) {
    const both = SCOPES.filter((scope) => allows(granted, scope) && allows(ceiling, scope))
    return { scopes: both, missing: [] }
  }
  const missing = [...new Set([...beyond(granted, requested), ...beyond(ceiling, requested)])]
  if (missing.length > 0) return { scopes: [], missing }
  return { scopes: SCOPES.filter((scope) => requested.includes(scope)), missing }
}
