/**
 * Who the command line is to the gateway: one device per state directory, kept in `client.json`.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isId } from '../protocol/ids.ts'

export interface Device {
  readonly deviceId: string
  readonly deviceToken: string | null
}

/** Reads the device of a state directory; a new one where there is none that can be read. */
export async function readDevice(stateDir: string): Promise<Device> {
  try {
    const value: unknown = JSON.parse(await readFile(pathOf(stateDir), 'utf8'))
    if (typeof value === 'object' && value !== null) {
      const deviceId: unknown = Reflect.get(value, 'deviceId')
      const deviceToken: unknown = Reflect.get(value, 'deviceToken')
      if (typeof deviceId === 'string' && isId(deviceId)) {
        return { deviceId, deviceToken: typeof deviceToken === 'string' ? deviceToken : null }
      }
    }
  } catch {
    // None yet, or a damaged one: the gateway makes us a new token.
  }
  return { deviceId: `cli-${randomUUID()}`, deviceToken: null }
}

/** Keeps a device, 0600, whole or not at all. */
export async function keepDevice(stateDir: string, device: Device): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const written = `${pathOf(stateDir)}.${process.pid}`
  try {
    await writeFile(written, `${JSON.stringify(device)}\n`, { mode: 0o600 })
    await rename(written, pathOf(stateDir))
  } catch (fault) {
    await rm(written, { force: true })
    throw fault
  }
}

function pathOf(stateDir: string): string {
  return join(stateDir, 'client.json')
}
