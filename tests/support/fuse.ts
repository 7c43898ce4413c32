/** A real FUSE mount, of the smallest kind: `tests/fixtures/fuse.c`, built once. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('../../../tests/fixtures/fuse.c', import.meta.url))

/** Tells why nothing can be mounted; null: it can. */
export function whyNoFuse(): string | null {
  if (!existsSync('/dev/fuse') || process.getuid?.() !== 0) return 'needs /dev/fuse and root'
  return spawnSync('gcc', ['--version']).status === 0 ? null : 'needs gcc'
}

/** Mounts it at a directory. */
export async function mountFuse(
  directory: string,
): Promise<{ readonly unmount: () => Promise<void> }> {
  const place = mkdtempSync(join(tmpdir(), 'openclaw-fuse-'))
  const program = join(place, 'fuse')
  const { status, stderr } = spawnSync('gcc', ['-O2', '-o', program, SOURCE], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`gcc: ${stderr}`)
  const child = spawn(program, [directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  process.on('exit', () => child.kill('SIGKILL'))
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  rmSync(place, { recursive: true, force: true })
  return {
    unmount: async () => {
      const gone = child.exitCode === null ? once(child, 'exit') : Promise.resolve()
      spawnSync('umount', ['-l', directory])
      child.kill('SIGKILL')
      await gone
    },
  }
}
