/** What sessions a connection asked to be told of. */
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'

export interface Following {
  /** Follows every session, or one of them. @throws {GatewayError} UNAVAILABLE: too many of them. */
  readonly follow: (sessionKey: string | null) => void
  readonly unfollow: (sessionKey: string | null) => void
  /** Tells whether a session is followed; null: any at all. */
  readonly has: (sessionKey: string | null) => boolean
}

/** Opens with nothing followed. */
export function openFollowing(): Following {
  const keys = new Set<string>()
  let all = false
  return {
    follow: (sessionKey) => {
      if (sessionKey === null) all = true
      else if (keys.has(sessionKey) || keys.size < limits.followedSessionsMax) keys.add(sessionKey)
      else throw tooMany()
    },
    unfollow: (sessionKey) => {
      if (sessionKey === null) all = false
      else keys.delete(sessionKey)
    },
    has: (sessionKey) => all || (sessionKey === null ? keys.size > 0 : keys.has(sessionKey)),
  }
}

function tooMany(): GatewayError {
  const text = `a connection follows at most ${limits.followedSessionsMax} sessions; follow all instead`
  return new GatewayError('UNAVAILABLE', text)
}
