/**
 * The id of one life of a session: its key stays, its id changes with each reset.
 *
 * A pure function of key and generation, so that every journal has it, the oldest too: nothing of
 * it is stored. The shape is a UUID's, as clients expect (RFC 9562, version 8).
 */
import { sha256Hex } from './digest.ts'

/** Names a life of a session: `generation` 0 is the first, each reset or deletion begins the next. */
export function sessionIdOf(key: string, generation: number): string {
  const hex = sha256Hex(`session\n${key}\n${generation}`)
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
  ]
  return [...parts, hex.slice(20, 32)].join('-')
}
