/**
 * Completes package-lock.json: `node dist/scripts/complete-lock.js` after `npm install`.
 *
 * A registry mirror that does not carry a package for another platform makes npm leave it out of
 * the lock file, and `npm ci` then refuses the file as a whole. Each optional dependency that is
 * missing gets an entry with its version and the platform that its name tells; nobody else
 * fetches it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { show } from './output.ts'

const FILE = fileURLToPath(new URL('../../package-lock.json', import.meta.url))

interface LockEntry {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** What we read of a lock file. */
export interface Lock {
  packages: Record<string, LockEntry>
}

/** Lists the optional dependencies without an entry: path in the lock -> entry to add. */
export function missingEntries({ packages }: Lock): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {}
  for (const { optionalDependencies = {}, dev } of Object.values(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const path = `node_modules/${name}`
      if (packages[path] !== undefined || !/^\d/.test(version)) continue
      const only = dev === true ? { dev: true } : {}
      missing[path] = { version, ...platformOf(name), ...only, optional: true }
    }
  }
  return missing
}

const SYSTEMS =
  /(?:^|[-/])(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32|wasm32)/
const PROCESSORS = /-(arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64)(?:-|$)/

function platformOf(name: string): { os?: string[]; cpu?: string[]; libc?: string[] } {
  const system = SYSTEMS.exec(name)?.[1]
  const processor = PROCESSORS.exec(name)?.[1]
  const libc = name.includes('musl') ? 'musl' : name.includes('gnu') ? 'glibc' : undefined
  return {
    ...(processor === undefined ? {} : { cpu: [processor] }),
    ...(system === undefined ? {} : { os: [system] }),
    ...(libc === undefined ? {} : { libc: [libc] }),
  }
}

/** Writes the missing entries into the file. */
function main(): void {
  const lock = JSON.parse(readFileSync(FILE, 'utf8')) as Lock
  const missing = missingEntries(lock)
  const [root, ...rest] = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) =>
    a < b ? -1 : 1,
  )
  if (root === undefined) return
  lock.packages = Object.fromEntries([root, ...rest])
  writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`)
  for (const path of Object.keys(missing)) show(`added ${path}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
