/**
 * A bot's token that rests in a file of its own, as upstream's `tokenFile`: read at each opening of
 * the channel, so that a new one counts as soon as the channel is opened again.
 *
 * It is a plain file, no link, that nobody may write and not everybody may read; what does not hold
 * is a channel that has failed, with the reason, and no gateway that does not start.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { memberOf } from '../protocol/members.ts'
import { limits } from '../protocol/limits.ts'
import { type ChannelAdapter, LinkFault, Unreached } from './channels/adapter.ts'

const NOT_OURS = 0o026 // Writable by its group or by others, or readable by others.

/** A file, and how an account is named by the token in it. */
export interface TokenHolder {
  readonly name: string // of the channel
  readonly path: string
  readonly accountOf: (token: string) => string
}

/** Reads a token. @throws {LinkFault} final: says what is wrong with the file, and nothing of it. */
export function readToken({ name, path }: Pick<TokenHolder, 'name' | 'path'>): string {
  const refuse = (why: string): never => {
    throw new LinkFault(`${name}: tokenFile ${why}`, { final: true })
  }
  let file: number
  try {
    // A pipe would hold the whole gateway until somebody writes into it.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (thrown) {
    const code = String(memberOf(thrown, 'code'))
    return refuse(code === 'ELOOP' ? 'is a symbolic link' : `cannot be read: ${code}`)
  }
  try {
    const { mode, size } = fstatSync(file)
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return refuse('is no file')
    if ((mode & NOT_OURS) !== 0) return refuse('is open to others: chmod 600')
    if (size > limits.tokenFileBytesMax) return refuse('holds more than a token')
    const token = readFileSync(file, 'utf8').trim()
    return /^[\w:.-]+$/.test(token) ? token : refuse('holds no token')
  } finally {
    closeSync(file)
  }
}

/** An account whose token rests in a file. */
export class TokenFile {
  readonly #holder: TokenHolder
  #account: string | undefined = undefined

  constructor(holder: TokenHolder) {
    this.#holder = holder
  }

  /** Whose token it is, as far as it could be read; undefined: it could not. */
  get account(): string | undefined {
    if (this.#account === undefined) this.#read()
    return this.#account
  }

  /** An adapter of the account that the file names whenever it is opened. */
  adapter(make: (token: string) => ChannelAdapter, hookPath: string | null): ChannelAdapter {
    const { name, accountOf } = this.#holder
    let made: { readonly token: string; readonly adapter: ChannelAdapter } | null = null
    return {
      open: async (signal, resume) => {
        const before = this.#account
        const token = readToken(this.#holder)
        this.#account = accountOf(token)
        if (made?.token !== token) {
          await made?.adapter.close()
          made = { token, adapter: make(token) }
        }
        // A cursor of another account would have messages of this one left out.
        const isSame = before === undefined || before === this.#account
        await made.adapter.open(signal, isSame ? resume : null)
      },
      deliver: (message) =>
        made === null
          ? Promise.reject(new Unreached(`${name}: not connected`))
          : made.adapter.deliver(message),
      close: async () => made?.adapter.close(),
      ...(hookPath === null
        ? {}
        : {
            hook: {
              path: hookPath,
              answer: async (request) =>
                made?.adapter.hook?.answer(request) ?? {
                  status: 503,
                  body: { error: 'not open' },
                  retryAfterMs: 1_000,
                },
            },
          }),
    }
  }

  #read(): void {
    try {
      this.#account = this.#holder.accountOf(readToken(this.#holder))
    } catch {
      // Its channel says why when it is opened.
    }
  }
}
