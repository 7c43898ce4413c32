/**
 * Code as files: a compiled tree read from disk, or the files that a journal keeps.
 *
 * Only text is read here and nothing of it runs: code-host.ts hands it to a process that can reach
 * neither network nor files.
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, posix, resolve, sep } from 'node:path'
import { importsOf } from '../protocol/code.ts'
import { canonical, sha256Hex } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { CodeFiles } from './code-wire.ts'

/** Reads code that a journal keeps; null where it keeps none of that id. */
export type LoadCode = (
  id: string,
) => Promise<{ readonly files: Readonly<Record<string, string>> } | null>

/**
 * Reads the compiled machines of a tree: DIR/dist, DIR, or DIR with kinds.js in it; and all files
 * in the tree that they import.
 * @throws {GatewayError} NOT_FOUND: no machines there; PAYLOAD_TOO_LARGE.
 */
export function readCodeTree(directory: string): CodeFiles {
  for (const [root, room] of [
    [join(directory, 'dist'), 'machines/'],
    [directory, 'machines/'],
    [directory, ''],
  ] as const) {
    const [kinds, step] = [`${room}kinds.js`, `${room}step.js`]
    if (!existsSync(join(root, kinds)) || !existsSync(join(root, step))) continue
    const files = readClosure(realpathSync(resolve(root)), [kinds, step])
    const id = sha256Hex(canonical(files)).slice(0, 16)
    return { id, files, kinds, step }
  }
  const text = `code: no compiled machines in ${directory}: expected dist/machines/kinds.js`
  throw new GatewayError('NOT_FOUND', text, { directory })
}

/** Makes code of files that a journal keeps. */
export function storedCode(id: string, files: Readonly<Record<string, string>>): CodeFiles {
  return { id, files, kinds: 'machines/kinds.js', step: 'machines/step.js' }
}

function readClosure(root: string, entries: readonly string[]): Record<string, string> {
  const files: Record<string, string> = {}
  const waiting = [...entries]
  let bytes = 0
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (Object.hasOwn(files, path)) continue
    const text = readInside(root, path)
    if (text === null) continue // The child tells which import leads nowhere.
    files[path] = text
    bytes += text.length
    if (bytes > limits.codeBytesMax || Object.keys(files).length > limits.codeFilesMax) {
      throw new GatewayError('PAYLOAD_TOO_LARGE', `code: more than ${limits.codeBytesMax} bytes`)
    }
    for (const specifier of importsOf(text)) {
      const target = posix.join(posix.dirname(path), specifier)
      if (!target.startsWith('../')) waiting.push(target)
    }
  }
  return files
}

// A link that leads out of the tree is as if it were not there.
function readInside(root: string, path: string): string | null {
  const file = join(root, path)
  if (!existsSync(file) || !statSync(file).isFile()) return null
  return realpathSync(file).startsWith(root + sep) ? readFileSync(file, 'utf8') : null
}
