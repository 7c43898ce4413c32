/** The shape of what `openclaw.json` says of agents: what holds for all, and what one has of its own. */
import { array, type Infer, object, optional, Struct } from 'superstruct'
import { integer, mapOf, name, text, unread, unreadAll } from './leaves.ts'
import { agentToolPolicy, toolPolicy } from './schema-tools.ts'

const modelName = () => text(1, 256)
const modelChoiceObject = object({ primary: modelName(), fallbacks: optional(array(modelName())) })
type ModelChoice = string | Infer<typeof modelChoiceObject>

const modelChoice = new Struct<ModelChoice, typeof modelChoiceObject.schema>({
  type: 'a model name, or {primary, fallbacks}',
  schema: modelChoiceObject.schema,
  validator: (value) => modelName().is(value) || (typeof value === 'object' && value !== null),
  *entries(value, context) {
    if (typeof value === 'object') yield* modelChoiceObject.entries(value, context)
  },
})

// Of one agent only its tools are read: every conversation that names no agent is of `main`.
const ofOneAgent = () => ({
  tools: optional(agentToolPolicy()), // beside `agents.defaults.tools`
  ...unreadAll([
    'agentDir',
    'bootstrapMaxChars',
    'bootstrapTotalMaxChars',
    'contextInjection',
    'contextLimits',
    'cwd',
    'decisionModel',
    'default',
    'description',
    'embeddedAgent',
    'experimental',
    'fastModeDefault',
    'groupChat',
    'heartbeat',
    'humanDelay',
    'identity',
    'memory',
    'memorySearch',
    'model',
    'modelPolicy',
    'models',
    'name',
    'params',
    'reasoningDefault',
    'runtime',
    'sandbox',
    'skills',
    'skillsLimits',
    'subagents',
    'thinkingDefault',
    'toolProgressDetail',
    'tts',
    'typingMode',
    'utilityModel',
    'verboseDefault',
    'workspace',
  ]),
})

/** `agents`. */
export const agentsConfig = object({
  defaults: optional(
    object({
      model: optional(modelChoice),
      systemPrompt: optional(text(0, 65_536)),
      workspace: optional(text(1, 4_096)), // the folder that tools read, write and run in
      tools: optional(toolPolicy()), // beside `tools`
      maxConcurrent: optional(integer(1, 64)),
      // What a run may cost at most, and all runs of a day together: upstream has no name for it.
      budget: optional(
        object({
          tokensPerRun: optional(integer(1, 1_000_000_000)),
          callsPerRun: optional(integer(1, 10_000)),
          tokensPerDay: optional(integer(1, 1_000_000_000_000)),
        }),
      ),
    }),
  ),
  list: optional(array(object({ id: name(), ...ofOneAgent() }))),
  entries: optional(mapOf(object(ofOneAgent()))), // upstream's later form: the key is the id
  ownership: unread(),
})

export type AgentsConfig = Infer<typeof agentsConfig>
