/**
 * What a verb is: its flags, its help, and a run that ends in an exit code.
 */
import { type ArgsDef, defineCommand, type ParsedArgs, renderUsage, runCommand } from 'citty'
import { checkArguments } from './arguments.ts'

/** A verb as the command calls it. */
export interface Verb {
  readonly help: () => Promise<string>
  /** Reads the arguments behind the verb's words and runs it; resolves with the exit code. */
  readonly run: (raw: readonly string[]) => Promise<number>
}

interface VerbDefinition<A extends ArgsDef> {
  readonly name: string // its words
  readonly description: string
  readonly args: A
  readonly run: (args: ParsedArgs<A>) => Promise<number>
}

/**
 * Makes a verb.
 * @throws {GatewayError} from its `run`: USAGE, and whatever the verb itself throws.
 */
export function defineVerb<const A extends ArgsDef>(definition: VerbDefinition<A>): Verb {
  const { name, description, args, run } = definition
  const command = defineCommand({
    meta: { name: `openclaw ${name}`, description },
    args,
    run: (context) => run(context.args),
  })
  return {
    help: () => renderUsage(command),
    run: async (raw) => {
      const { result } = await runCommand(command, { rawArgs: checkArguments(name, raw, args) })
      return typeof result === 'number' ? result : 0
    },
  }
}
