/**
 * A directory of its own for each test, gone when the test is over.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GatewayError } from '../../protocol/errors.ts'

/** Runs a test with a fresh directory and removes it, whatever came out. */
export async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'openclaw-test-'))
  try {
    await run(directory)
  } catch (thrown) {
    // uvu takes `details` of what a test throws for text, and loses the test where it is none.
    if (!(thrown instanceof GatewayError)) throw thrown
    throw new Error(`${thrown.code}: ${thrown.message}`, { cause: thrown })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
