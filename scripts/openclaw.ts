#!/usr/bin/env node
/**
 * The `openclaw` command: finds the verb, checks its flags, runs it, and turns what it throws into
 * a sentence and an exit code.
 *
 * A verb is loaded when it is called, and only it: nothing of the gateway is imported by a verb
 * that merely talks to it.
 */
import { toGatewayError } from '../protocol/errors.ts'
import { reportError } from './exit.ts'
import { show, showText } from './output.ts'
import { findVerb, type FoundVerb, groupHelp, rootHelp } from './verbs.ts'
import { readVersion } from './version.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(raw: readonly string[]): Promise<number> {
  const json = raw.includes('--json')
  try {
    if (raw.length === 1 && ['--version', '-v'].includes(raw[0] ?? '')) {
      show(readVersion())
      return 0
    }
    if (raw.length === 0 || isHelp(raw[0])) {
      showText(rootHelp())
      return 0
    }
    const group = raw.length === 2 && isHelp(raw[1]) ? groupHelp(raw) : null
    if (group !== null) {
      showText(group)
      return 0
    }
    return await run(findVerb(raw))
  } catch (thrown) {
    return reportError(toGatewayError(thrown), json)
  }
}

async function run({ entry, rest }: FoundVerb): Promise<number> {
  const verb = await entry.load()
  if (rest.some(isHelp)) {
    showText(await verb.help())
    return 0
  }
  watchOutput(entry.stays === true)
  return verb.run(rest)
}

function isHelp(word: string | undefined): boolean {
  return word === '--help' || word === '-h'
}

/** `openclaw logs | head` ends with its reader; a gateway whose terminal is gone goes on. */
function watchOutput(stays: boolean): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => {
      if (!stays) process.exit(0)
    })
  }
}
