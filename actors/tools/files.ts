/**
 * `read` and `write`: files of the workspace, and of nothing else.
 *
 * A path is followed part by part from the workspace's own real path: `..`, an absolute path elsewhere
 * and a link that leads out are refused, and the file itself is opened without following a link.
 * What was opened is looked at again behind the opening, so that a link that is put in place meanwhile
 * is noticed before a byte is read or written.
 */
import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { limits } from '../../protocol/limits.ts'
import { numberOf, textOf, type Tool, type ToolArguments, ToolError } from './tool.ts'

const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

/**
 * Opens both over a workspace that is asked for at each call; null: there is none. What is in
 * `stateDir` is the gateway's own, and so is the file `configPath`.
 */
export function openFileTools(
  workspace: () => string | null,
  { stateDir, configPath }: Omit<Bounds, 'root'>,
): Tool[] {
  const fault = (): string | null => workspaceFault(workspace())
  const bounds = (): Bounds => ({ root: rootOf(workspace()), stateDir, configPath })
  return [
    {
      name: 'read',
      description:
        'Reads a text file of the workspace. The path is relative to the workspace. Long files are read in parts: offset is the byte to begin at.',
      parameters: {
        type: 'object',
        properties: {
          path: { type: 'string' },
          offset: { type: 'integer', minimum: 0 },
          limit: { type: 'integer', minimum: 1, maximum: limits.toolFileBytesMax },
        },
        required: ['path'],
      },
      source: 'built-in',
      fault,
      run: async (args) => ({ text: await readPart(bounds(), args) }),
    },
    {
      name: 'write',
      description:
        'Writes a text file of the workspace, in place of what was in it. The path is relative to the workspace; folders are made.',
      parameters: {
        type: 'object',
        properties: { path: { type: 'string' }, content: { type: 'string' } },
        required: ['path', 'content'],
      },
      source: 'built-in',
      fault,
      run: async (args) => ({ text: await writeWhole(bounds(), args) }),
    },
  ]
}

/** Why there is no workspace to work in; null where one is configured. */
export function workspaceFault(workspace: string | null): string | null {
  return workspace === null ? 'agents.defaults.workspace is not configured' : null
}

/** The workspace's folder; `~` stands for the home of whoever runs the gateway. @throws {ToolError} */
export function rootOf(workspace: string | null): string {
  if (workspace === null) throw new ToolError('agents.defaults.workspace is not configured')
  return resolve(workspace.replace(/^~(?=$|\/)/, homedir()))
}

interface Bounds {
  readonly root: string
  readonly stateDir: string
  readonly configPath: string
}

async function readPart(bounds: Bounds, args: ToolArguments): Promise<string> {
  const path = textOf(args, 'path')
  const offset = numberOf(args, 'offset', { min: 0, max: Number.MAX_SAFE_INTEGER, otherwise: 0 })
  const bytesMax = limits.toolFileBytesMax
  const limit = numberOf(args, 'limit', { min: 1, max: bytesMax, otherwise: bytesMax })
  const target = await place(bounds, path, false)
  return withFile(bounds, target, O_RDONLY | O_NONBLOCK, async (file, size) => {
    const buffer = Buffer.alloc(Math.min(limit, Math.max(0, size - offset)))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset)
    const text = buffer.subarray(0, bytesRead).toString('utf8')
    const end = offset + bytesRead
    return end < size
      ? `${text}\n[… read on with offset ${end}; the file has ${size} bytes …]`
      : text
  })
}

async function writeWhole(bounds: Bounds, args: ToolArguments): Promise<string> {
  const path = textOf(args, 'path')
  const bytes = Buffer.from(textOf(args, 'content'), 'utf8')
  const target = await place(bounds, path, true)
  return withFile(bounds, target, O_WRONLY | O_CREAT, async (file) => {
    await file.truncate(0)
    await file.writeFile(bytes)
    return `${bytes.length} bytes were written to ${path}`
  })
}

// The real path that a name means, its folder inside of the root; folders are made where wanted.
async function place(
  { root, stateDir, configPath }: Bounds,
  path: string,
  makes: boolean,
): Promise<string> {
  if (path.includes('\0')) throw new ToolError('path: holds a NUL')
  const top = await openRoot(root)
  const own = await realpath(stateDir).catch(() => resolve(stateDir))
  const inside = relative(root, resolve(root, path))
  if (inside === '' || leaves(inside)) throw escaping(path)
  let folder = top
  for (const part of dirname(inside).split(sep)) {
    if (part === '.') continue
    if (isOwn(top, own, folder)) break
    folder = await enter(top, join(folder, part), { path, makes })
  }
  const target = join(folder, basename(inside))
  const isConfig = target === (await realpath(configPath).catch(() => resolve(configPath)))
  if (isConfig || isOwn(top, own, target)) throw belonging(path)
  return target
}

// A workspace may be a folder of the state directory; one that holds it does not hand out its secrets.
function isOwn(top: string, own: string, path: string): boolean {
  return !leaves(relative(own, path)) && (top === own || leaves(relative(own, top)))
}

async function openRoot(root: string): Promise<string> {
  try {
    return await realpath(root)
  } catch {
    throw new ToolError('the workspace is not there')
  }
}

async function enter(
  top: string,
  folder: string,
  { path, makes }: { readonly path: string; readonly makes: boolean },
): Promise<string> {
  const found = await lstat(folder).catch(() => null)
  if (found === null && !makes) throw new ToolError(`${path}: no such file`)
  if (found === null) await mkdir(folder)
  const real = await realpath(folder)
  const inside = relative(top, real)
  if (leaves(inside)) throw escaping(path)
  return real
}

async function withFile(
  { configPath }: Bounds,
  target: string,
  flags: number,
  use: (file: FileHandle, size: number) => Promise<string>,
): Promise<string> {
  let file: FileHandle
  try {
    file = await open(target, flags | O_NOFOLLOW, 0o600)
  } catch (error) {
    throw new ToolError(refusalOf(error))
  }
  try {
    const [opened, named] = await Promise.all([file.stat(), lstat(target)])
    const isSame = opened.ino === named.ino && opened.dev === named.dev
    if ((await realpath(target)) !== target || !isSame) throw escaping(basename(target))
    // Where letters of both cases are the same, a file has more names than one.
    const config = await stat(configPath).catch(() => null)
    if (opened.ino === config?.ino && opened.dev === config.dev) throw belonging(basename(target))
    if (!opened.isFile()) throw new ToolError('not a file')
    // Another name of the same file may lie outside of the workspace.
    if (opened.nlink > 1) throw new ToolError('the file has another name elsewhere: refused')
    return await use(file, opened.size)
  } finally {
    await file.close()
  }
}

const REFUSALS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ELOOP: 'it is a link: refused',
  EISDIR: 'it is a folder',
  EACCES: 'not permitted',
  ENXIO: 'not a file',
}

// Without the path: a real one tells a model more of this machine than it was shown.
function refusalOf(error: unknown): string {
  const code = String(Reflect.get(Object(error), 'code'))
  return Object.hasOwn(REFUSALS, code) ? (REFUSALS[code] ?? code) : `not opened: ${code}`
}

function leaves(inside: string): boolean {
  return inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)
}

function belonging(path: string): ToolError {
  return new ToolError(`${path}: belongs to the gateway`)
}

function escaping(path: string): ToolError {
  return new ToolError(`${path}: outside of the workspace`)
}
