/** A bot's token in a file of its own: who may read it, and what a change of it changes. */
import { execFileSync } from 'node:child_process'
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { namedFile } from '../../actors/config-files.ts'
import { readToken, TokenFile } from '../../actors/token-file.ts'
import type { ChannelAdapter, Resume } from '../../actors/channels/adapter.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { faultOf, linkFaultOf, never } from '../support/attempts.ts'
import { withDirectory } from '../support/directory.ts'

const token = cases('token file')

const accountOf = (text: string): string => text.split(':', 1)[0] ?? ''

token('S52 a token file that others may read or write, or that is no file, is refused', () =>
  withDirectory(async (directory) => {
    const path = join(directory, 'bot')
    writeFileSync(path, '77:secret-words\n', { mode: 0o600 })
    const refusal = async (at = path): Promise<string> => {
      const fault = await linkFaultOf(
        Promise.resolve().then(() => readToken({ name: 'telegram', path: at })),
      )
      assert.is(fault.end.final, true)
      assert.not.match(fault.message, /secret-words/)
      assert.ok(fault.message.length <= limits.contextTextCharsMax, 'it is shown whole')
      return fault.message
    }
    assert.is(readToken({ name: 'telegram', path }), '77:secret-words')

    for (const mode of [0o604, 0o606, 0o620, 0o666, 0o644]) {
      chmodSync(path, mode)
      assert.match(await refusal(), /open to others/, mode.toString(8))
    }
    // Its group may read it: that is how secrets are shared with services.
    chmodSync(path, 0o440)
    assert.is(readToken({ name: 'telegram', path }), '77:secret-words')
    symlinkSync(path, join(directory, 'link'))
    assert.match(await refusal(join(directory, 'link')), /symbolic link/)
    assert.match(await refusal(join(directory, 'absent')), /cannot be read: ENOENT/)
    assert.match(await refusal(directory), /is no file/)
    execFileSync('mkfifo', ['-m', '600', join(directory, 'pipe')])
    assert.match(await refusal(join(directory, 'pipe')), /is no file/)
    for (const [text, expected] of [
      ['', /holds no token/],
      ['77:a b', /holds no token/],
      ['x'.repeat(limits.tokenFileBytesMax + 1), /more than a token/],
    ] as const) {
      writeFileSync(join(directory, 'odd'), text, { mode: 0o600 })
      assert.match(await refusal(join(directory, 'odd')), expected)
    }
  }),
)

token('TG22 a new token counts from the next opening; of another bot, without the cursor', () =>
  withDirectory(async (directory) => {
    const path = join(directory, 'bot')
    const opened: [string, string | null][] = []
    const closed: string[] = []
    const file = new TokenFile({ name: 'telegram', path, accountOf })
    const adapter = file.adapter((text) => adapterOf(text, opened, closed), null)
    const resume: Resume = { cursor: '41', at: 0 }

    assert.is(file.account, undefined)
    assert.match((await linkFaultOf(adapter.open(never, null))).message, /ENOENT/)
    const { sent, retryable } = await faultOf(
      adapter.deliver({ target: '1', text: 'x', deliveryId: 'd' }),
    )
    assert.equal([sent, retryable], ['no', true])
    writeFileSync(path, '77:one', { mode: 0o600 })
    await adapter.open(never, resume)
    writeFileSync(path, '77:two', { mode: 0o600 })
    await adapter.open(never, resume)
    writeFileSync(path, '88:three', { mode: 0o600 })
    await adapter.open(never, resume)

    assert.equal(opened, [
      ['77:one', '41'],
      ['77:two', '41'],
      ['88:three', null],
    ])
    assert.equal([closed, file.account], [['77:one', '77:two'], '88'])
    assert.is(adapter.hook, undefined)
    assert.is(file.adapter((text) => adapterOf(text, opened, closed), '/tg').hook?.path, '/tg')
  }),
)

token('C39 a token file lies beside the configuration, or at home', () => {
  assert.is(namedFile('bot', '/etc/openclaw/openclaw.json'), '/etc/openclaw/bot')
  assert.is(namedFile('/run/bot', '/etc/openclaw/openclaw.json'), '/run/bot')
  assert.match(namedFile('~/bot', '/etc/openclaw/openclaw.json'), /^(?!~).*\/bot$/)
})

function adapterOf(
  text: string,
  opened: [string, string | null][],
  closed: string[],
): ChannelAdapter {
  return {
    open: async (_, resume) => void opened.push([text, resume?.cursor ?? null]),
    deliver: async () => ({ messageId: null }),
    close: async () => void closed.push(text),
  }
}

token.run()
