/**
 * The pages of a web client that its owner has installed: upstream's Control UI, from a directory.
 * Before step 1 of 8.
 *
 *   /assets/index-5f3a.js   the file of that name        /chat   index.html: the page finds its own way
 *
 * Nothing but files beneath the directory, links out of it included. Pages may talk to this gateway
 * alone, and run only scripts that came with them (their own inline ones by their digests).
 */
import { createHash } from 'node:crypto'
import { open, realpath } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { limits } from '../protocol/limits.ts'

/** A file as it is sent. */
export interface Page {
  readonly status: number
  readonly type: string
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
}

export interface Pages {
  /** Answers a path; null: there is no such file. */
  readonly answer: (path: string) => Promise<Page | null>
}

const HTML = 'text/html; charset=utf-8'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': HTML,
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp3': 'audio/mpeg',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
}

/** Opens the pages of a directory; nothing is read before somebody asks. */
export function openPages(root: string): Pages {
  return {
    answer: async (path) => {
      const names = readPath(path)
      if (names === null) return null
      const isPage = extname(names.at(-1) ?? '') === ''
      const file = await readBeneath(root, isPage ? ['index.html'] : names)
      if (file === null) return null
      return isPage || typeOf(names) === HTML ? formatPage(file) : formatFile(names, file)
    },
  }
}

// A path is names between slashes; one that could climb, or that hides, is none.
function readPath(path: string): string[] | null {
  try {
    const names = decodeURIComponent(path)
      .split('/')
      .filter((name) => name !== '')
    return names.some((name) => name.startsWith('.') || /[\0\\]/.test(name)) ? null : names
  } catch {
    return null
  }
}

async function readBeneath(root: string, names: readonly string[]): Promise<Buffer | null> {
  try {
    const real = await realpath(join(root, ...names))
    if (!real.startsWith(`${await realpath(root)}${sep}`)) return null
    return await readBounded(real)
  } catch {
    return null
  }
}

async function readBounded(path: string): Promise<Buffer | null> {
  const handle = await open(path, 'r')
  try {
    const stats = await handle.stat()
    return stats.isFile() && stats.size <= limits.pageBytesMax ? await handle.readFile() : null
  } finally {
    await handle.close()
  }
}

function typeOf(names: readonly string[]): string {
  return TYPES[extname(names.at(-1) ?? '').toLowerCase()] ?? 'application/octet-stream'
}

// Their names hold a digest of what is in them, so that a browser may keep them for ever.
function formatFile(names: readonly string[], body: Buffer): Page {
  const type = typeOf(names)
  const isNamedByDigest = names[0] === 'assets'
  const cache = isNamedByDigest ? 'public, max-age=31536000, immutable' : 'no-cache'
  return { status: 200, type, body, headers: { 'cache-control': cache } }
}

// A page is told where it stands, and its files are named from the top: it is served everywhere.
function formatPage(file: Buffer): Page {
  const html = file
    .toString('utf8')
    .replace(
      '<html',
      '<html data-openclaw-control-ui-base-path="" data-openclaw-terminal-enabled="false"',
    )
    .replaceAll(/(href|src)="\.\//g, '$1="/')
  const headers = {
    'cache-control': 'no-cache',
    'content-security-policy': policyOf(html),
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
  }
  return { status: 200, type: HTML, body: Buffer.from(html), headers }
}

function policyOf(html: string): string {
  const inline = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)]
  const digests = inline.map(([, script = '']) => {
    return `'sha256-${createHash('sha256').update(script).digest('base64')}'`
  })
  return [
    "default-src 'self'",
    ["script-src 'self' 'wasm-unsafe-eval'", ...digests].join(' '),
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "media-src 'self' data: blob:",
    "connect-src 'self' data:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
