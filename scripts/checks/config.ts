/**
 * Checks of the configuration, and of the models that it names.
 */
import { readFile, stat } from 'node:fs/promises'
import { askForModels, type Endpoint } from '../../actors/models/knock.ts'
import { type ResolvedConfig, resolveConfig } from '../../protocol/config/defaults.ts'
import { ECHO_MODEL, parseModelName } from '../../protocol/config/model.ts'
import { parseConfig } from '../../protocol/config/parse.ts'
import type { GatewayConfig } from '../../protocol/config/schema.ts'
import { idleEntries } from '../../protocol/config/tool-groups.ts'
import { unsupportedPaths } from '../../protocol/config/unread.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { DEFAULT_AGENT_ID } from '../../protocol/session-key.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const NAME = 'configuration'
const MEND = 'mend the file; `openclaw config schema` lists every key'

/** What the configuration says, where it is one. */
export interface CheckedConfig {
  readonly findings: readonly Finding[]
  readonly config: ResolvedConfig | null
}

/** Reads the configuration as the gateway would and names all that is wrong with it. */
export async function checkConfig(path: string, env: NodeJS.ProcessEnv): Promise<CheckedConfig> {
  try {
    const text = await readConfig(path)
    if (text === null) {
      const findings = [ok(NAME, `no file at ${path}: defaults, and the offline model echo`)]
      return { findings, config: resolveConfig({}) }
    }
    const { config, issues } = parseConfig(text, { file: path, env })
    if (issues.length > 0) {
      const findings = issues.map(({ message }) => fail(NAME, `${path}: ${message}`, MEND))
      return { findings, config: null }
    }
    return judge(config, path)
  } catch (thrown) {
    return { findings: [fail(NAME, toGatewayError(thrown).message, MEND)], config: null }
  }
}

async function readConfig(path: string): Promise<string | null> {
  if ((await stat(path).catch(() => null)) === null) return null
  return readFile(path, 'utf8')
}

function judge(config: GatewayConfig, path: string): CheckedConfig {
  const resolved = resolveConfig(config)
  const findings: Finding[] = unsupportedPaths(config).map((key) =>
    warn(NAME, `${key} is accepted, but this version does not act on it`, `remove it from ${path}`),
  )
  for (const { where, agentId } of resolved.tools.byAgent) {
    if (agentId === DEFAULT_AGENT_ID) continue
    const says = `${where} holds for sessions of agent:${agentId} only: what names no agent is of "${DEFAULT_AGENT_ID}"`
    findings.push(warn(NAME, says, `if all are meant, write it as agents.defaults.tools`))
  }
  for (const { path: list, entry } of idleEntries(resolved.tools)) {
    const says = `${list}: ${JSON.stringify(entry)} matches no tool of the gateway, of a node or of a server in mcp.servers`
    findings.push(warn(NAME, says, 'mend its spelling; only a client that registers one so has it'))
  }
  if (!resolved.gateway.loopback && resolved.gateway.tls === null) {
    const says = `${resolved.gateway.bind} can be reached from outside, without encryption`
    findings.push(
      warn(NAME, says, 'set gateway.tls, put a TLS proxy or a VPN before it, or bind to loopback'),
    )
  }
  if (findings.length === 0) findings.push(ok(NAME, path))
  return { findings, config: resolved }
}

/** Asks every provider of a configured model whether it is there. */
export async function checkModels(
  config: ResolvedConfig,
  env: NodeJS.ProcessEnv,
): Promise<Finding[]> {
  const { primary, fallbacks } = config.agent.model
  return Promise.all([primary, ...fallbacks].map((model) => checkModel(model, config, env)))
}

async function checkModel(
  model: string,
  { providers }: ResolvedConfig,
  env: NodeJS.ProcessEnv,
): Promise<Finding> {
  const name = `model ${model}`
  if (model === ECHO_MODEL) return ok(name, 'built in, answers offline')
  const provider = providers[parseModelName(model).provider]
  if (provider === undefined) {
    return fail(name, 'nobody provides it', 'add its provider under models.providers')
  }
  const { baseUrl, api, apiKey, apiKeyVariable } = provider
  const key = apiKey ?? (apiKeyVariable === null ? null : (env[apiKeyVariable] ?? null))
  if (key === null && apiKeyVariable !== null) {
    return fail(name, `${apiKeyVariable} is not set`, `set ${apiKeyVariable}`)
  }
  return knock(name, { baseUrl, api, apiKey: key })
}

async function knock(name: string, endpoint: Endpoint): Promise<Finding> {
  try {
    const signal = AbortSignal.timeout(limits.verbProbeMs)
    const { says, fault } = await askForModels(endpoint, signal)
    if (fault === 'auth') return fail(name, says, 'it refuses the key: check apiKey')
    if (fault === 'server') return warn(name, says, 'its server is in trouble: look there')
    return ok(name, says)
  } catch (thrown) {
    return fail(name, toGatewayError(thrown).message, 'start it, or check its baseUrl')
  }
}
