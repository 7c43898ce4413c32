/**
 * The inode watch: notices that the files under a running store have been replaced or removed.
 *
 * LMDB goes on writing into a file that has no name any more and acknowledges every put; a removed
 * lock file lets a second writer in (D-R8). Step 6 of 8.
 */
import { statSync } from 'node:fs'

/** Watches files by path from now on; calls `onReplaced` once and ends. Returns the stop. */
export function watchFiles(
  paths: readonly string[],
  intervalMs: number,
  onReplaced: (path: string) => void,
): () => void {
  const inodes = paths.map(inodeOf)
  const timer = setInterval(() => {
    const replaced = paths.find((path, i) => inodeOf(path) !== inodes[i])
    if (replaced === undefined) return
    clearInterval(timer)
    onReplaced(replaced)
  }, intervalMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** Names a file by device and inode; null where there is none. */
function inodeOf(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`
}
