/**
 * `openclaw pairing hash-password`: a password in, what `gateway.auth.password` may hold out.
 *
 * The password is read from stdin, never from the arguments, which other users can see. A terminal
 * does not show what is typed.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { systemChance } from '../../actors/services.ts'
import { hashPassword } from '../../protocol/auth/password.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { jsonArgs } from '../arguments.ts'
import { note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

const SALT_BYTES = 16

export const hashPasswordVerb = defineVerb({
  name: 'pairing hash-password',
  description: 'Hash a password, read from stdin, for gateway.auth.password',
  args: jsonArgs,
  async run(args) {
    if (process.stdin.isTTY) note('Password (not shown):')
    const password = await readLine()
    if (password.trim() === '') throw new GatewayError('USAGE', 'expected a password on stdin')
    const hash = await hashPassword(password, systemChance.bytes(SALT_BYTES))
    if (args.json) showJson({ hash })
    else show(hash)
    return 0
  },
})

async function readLine(): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const { stdin } = process
  const lines = createInterface({ input: stdin, output: nowhere, terminal: stdin.isTTY })
  const ended = once(lines, 'close').then((): unknown[] => [''])
  const [line] = await Promise.race([once(lines, 'line'), ended])
  lines.close()
  return typeof line === 'string' ? line : ''
}
