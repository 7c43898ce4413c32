/** Control groups of the kernel, for processes that are to have little of something. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = '/sys/fs/cgroup'

/** A group of one controller. */
export interface Cgroup {
  /** For `start`: the shell that becomes the process joins the group first. */
  readonly shell: string
  readonly limit: (value: number) => void
  readonly remove: () => void
}

const FILES = {
  memory: { v1: 'memory.limit_in_bytes', v2: 'memory.max' },
  pids: { v1: 'pids.max', v2: 'pids.max' },
} as const

export type Controller = keyof typeof FILES

/** Makes a group; null: this process may not, or the kernel has no such controller. */
export function openCgroup(controller: Controller): Cgroup | null {
  const old = join(ROOT, controller)
  const version = existsSync(old) ? 'v1' : 'v2'
  const directory = join(version === 'v1' ? old : ROOT, `openclaw-test-${process.pid}`)
  const file = join(directory, FILES[controller][version])
  try {
    mkdirSync(directory)
  } catch {
    return null
  }
  const remove = (): void => {
    try {
      rmdirSync(directory)
    } catch {
      // The last of it is on its way out.
    }
  }
  if (!existsSync(file)) {
    remove()
    return null
  }
  return {
    shell: `echo $$ >${directory}/cgroup.procs;`,
    limit: (value) => writeFileSync(file, String(value)),
    remove,
  }
}

/** Tells why there can be no group; null: there can. */
export function whyNoCgroup(controller: Controller): string | null {
  const group = openCgroup(controller)
  group?.remove()
  return group === null ? `needs root and the ${controller} controller` : null
}
