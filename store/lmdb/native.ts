/**
 * lmdb-js, loaded. Its native part comes as an optional package of the platform, which an install may
 * leave out and another Node may not take; then the store says so, and nothing stands in for it.
 */
import type * as Lmdb from 'lmdb'
import { GatewayError } from '../../protocol/errors.ts'

/** The module. Importing this file rejects with STORE_FAILED where it cannot be loaded. */
export const lmdb: typeof Lmdb = await load()

async function load(): Promise<typeof Lmdb> {
  try {
    return await import('lmdb')
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`
    const message =
      `lmdb: its native part for ${platform} is missing, or is not one for Node ` +
      `${process.versions.node}: npm ci puts it there, npm rebuild lmdb builds it`
    throw new GatewayError('STORE_FAILED', message, { platform }, cause)
  }
}
