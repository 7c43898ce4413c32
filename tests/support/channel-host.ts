/** A host for one adapter that hears of everything and keeps nothing; a test says what it wants of it. */
import type { ChannelHost } from '../../actors/channels/adapter.ts'

/** Makes one; what is given takes the place of silence. */
export function hostOf(given: Partial<ChannelHost> = {}): ChannelHost {
  return {
    received: async () => {},
    passed: () => {},
    conversations: () => [],
    moved: async () => {},
    lost: () => {},
    heard: () => {},
    dropped: () => {},
    ...given,
  }
}
