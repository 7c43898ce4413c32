/** `channels.discord`: guilds as policies see them, tokens, addresses. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { judge } from '../../../machines/rules/policy.ts'
import { type DiscordConfig, resolveDiscord } from '../../../protocol/config/discord.ts'
import { checkDiscord } from '../../../protocol/config/discord-check.ts'
import { parseConfig } from '../../../protocol/config/parse.ts'

const config = suite('discord configuration')
const token = `${Buffer.from('7700').toString('base64url')}.G.x`

/** Whether somebody is heard in a room of a guild, by which rule. */
function heard(
  { guilds, groupPolicy }: DiscordConfig,
  [guild, roomId, senderId, mentioned = true]: readonly [string, string, string, boolean?],
): string {
  const resolved = resolveDiscord({ token, guilds, groupPolicy })
  assert.ok(resolved)
  const { groups: rooms, ...access } = resolved
  const subject = {
    peer: 'channel',
    senderId,
    roomId,
    spaceId: `guild:${guild}`,
    mentioned,
  } as const
  return judge({ ...access, rooms }, subject).rule
}

config('DC9 a guild that names channels is heard in these only', () => {
  const guilds: DiscordConfig['guilds'] = {
    '40': { users: ['501'], channels: { '41': { requireMention: false }, '42': { allow: false } } },
    '50': { requireMention: false },
    '*': {},
  }
  const said = (...where: readonly [string, string, string, boolean?]): string =>
    heard({ guilds, groupPolicy: 'allowlist' }, where)

  assert.is(said('40', '41', '501', false), 'group.listed')
  assert.is(said('40', '41', '502'), 'group.allowFrom')
  assert.is(said('40', '42', '501'), 'group.allowFrom')
  assert.is(said('40', '43', '501'), 'group.allowFrom', 'not by "*" either')
  assert.is(said('50', '51', '502', false), 'group.listed')
  assert.is(said('60', '61', '502', false), 'group.notMentioned')
})

config('DC10 nobody is let in by a role, which is not known here', () => {
  const guilds = { '40': { roles: ['7'] } }
  assert.is(heard({ guilds, groupPolicy: 'open' }, ['40', '41', '501']), 'group.allowFrom')
  assert.is(heard({ guilds: {}, groupPolicy: undefined }, ['1', '2', '3']), 'group.notListed')
})

config('DC11 upstream’s two spellings of direct messages mean the same', () => {
  const now = resolveDiscord({ token, dmPolicy: 'allowlist', allowFrom: ['user:501'] })
  const before = resolveDiscord({ token, dm: { policy: 'allowlist', allowFrom: ['501'] } })
  assert.equal(now, before)
  assert.equal([now?.allowFrom, now?.account], [['501'], '7700'])
  assert.is(resolveDiscord({ token, dm: { enabled: false } })?.dmPolicy, 'disabled')
  assert.is(resolveDiscord({ token, enabled: false }), null)
  assert.not.match(resolveDiscord({ token: 'sesame' })?.account ?? '', /sesame/)
  assert.equal(resolveDiscord({ token: 'Bot sesame' }), resolveDiscord({ token: 'sesame' }))
})

config('DC12 what cannot be is named where it stands', () => {
  const paths = (discord: DiscordConfig): string[] => checkDiscord(discord).map(({ path }) => path)

  assert.equal(paths({}), ['channels.discord.token'])
  assert.equal(paths({ token: 'a b' }), ['channels.discord.token'])
  assert.equal(paths({ token, apiRoot: 'http://example.org/api' }), ['channels.discord.apiRoot'])
  assert.equal(paths({ token, apiRoot: 'http://127.0.0.1:9/api' }), [])
  assert.is(paths({ token, guilds: { home: { channels: { tea: {} } } } }).length, 2)
  assert.equal(paths({ enabled: false }), [])
  const numbers = '{ channels: { discord: { token: "a", allowFrom: [501] } } }'
  const { issues } = parseConfig(numbers, { file: 'f', env: {} })
  assert.match(issues.map(({ message }) => message).join(), /in quotes/)
})

config.run()
