/**
 * What a verb is: its flags, its help, and a run that ends in an exit code.
 */
import { type ArgsDef, defineCommand, type ParsedArgs, renderUsage, runCommand } from 'citty'
import { checkArguments, valuesOf } from './arguments.ts'

/** A verb as the command calls it. */
export interface Verb {
  readonly help: () => Promise<string>
  /** Reads the arguments behind the verb's words and runs it; resolves with the exit code. */
  readonly run: (raw: readonly string[]) => Promise<number>
}

/** A verb as the table of verbs lists it. */
export interface VerbEntry {
  readonly summary: string
  readonly load: () => Promise<Verb>
  /** Goes on when nobody reads what it prints. */
  readonly stays?: true
}

interface VerbDefinition<A extends ArgsDef> {
  readonly name: string // its words
  readonly description: string
  readonly args: A
  /** `all` lists every value of a flag that may be given more than once. */
  readonly run: (args: ParsedArgs<A>, all: (flag: string) => string[]) => Promise<number>
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
    run: (context) => run(context.args, (flag) => valuesOf(context.rawArgs, flag)),
  })
  return {
    help: () => renderUsage(command),
    run: async (raw) => {
      const rawArgs = [...checkArguments(name, raw, args)]
      const { result } = await runCommand(command, { rawArgs })
      return typeof result === 'number' ? result : 0
    },
  }
}
