/** Upstream's methods about the gateway itself. Step 4 of 8. */
import { join } from 'node:path'
import type { houseMethods } from '../../../protocol/dialect/upstream/methods/house.ts'
import { DEFAULT_AGENT_ID, MAIN_SESSION_KEY } from '../../../protocol/session-key.ts'
import { troublesOf } from '../../health.ts'
import { readUpstreamHealth, recentSessions } from '../health.ts'
import type { Handlers, UpstreamHouse } from '../house.ts'
import { readUsage } from '../usage.ts'
import { tailLog } from '../log-tail.ts'
import { listDirectives } from './directives.ts'
import { listModels, listProviders } from './models.ts'
import { readChannels, readSystem } from './system.ts'

export const houseHandlers: Handlers<typeof houseMethods> = {
  'system.info': readSystem,
  'last-heartbeat': () => null, // There are no heartbeat runs here.
  'update.status': () => ({ sentinel: null, updateAvailable: null }),
  'diagnostics.stability': ({ services }) => ({
    generatedAt: new Date(services.clock.now()).toISOString(),
    capacity: 0,
    count: 0,
    dropped: 0,
    events: [],
    summary: { byType: {} },
  }),
  'logs.tail': ({ stateDir }, params) => tailLog(join(stateDir, 'logs'), params),
  'channels.status': readChannels,
  'models.list': (house) => ({ models: listModels(house) }),
  'models.authStatus': listProviders,
  'commands.list': () => ({ commands: listDirectives() }),
  'usage.cost': (house, { days = 30 }) => readUsage(house, days),
  'skills.status': ({ stateDir }) => ({
    workspaceDir: stateDir,
    managedSkillsDir: join(stateDir, 'skills'),
    agentId: DEFAULT_AGENT_ID,
    skills: [],
  }),
  'question.list': () => ({ questions: [] }),
  'plugin.approval.list': () => [],
  'openclaw.approval.list': () => [],
  'taskSuggestions.list': () => ({ suggestions: [] }),
  'tasks.list': () => ({ tasks: [] }),
  health: readUpstreamHealth,
  status: readStatus,
  'system-presence': ({ presence }) => presence.list(),
  'agents.list': (house) => ({
    defaultId: DEFAULT_AGENT_ID,
    mainKey: 'main',
    scope: 'per-sender',
    agents: [{ id: DEFAULT_AGENT_ID, model: { primary: modelOf(house) } }],
  }),
  'agent.identity.get': () => ({
    agentId: DEFAULT_AGENT_ID,
    name: 'Assistant',
    nameSource: 'default',
    avatar: 'A',
  }),
}

function modelOf({ configuration }: UpstreamHouse): string {
  return configuration.live.config.agent.model.primary
}

const NO_TASKS = {
  total: 0,
  active: 0,
  terminal: 0,
  failures: 0,
  byStatus: {
    queued: 0,
    running: 0,
    succeeded: 0,
    failed: 0,
    timed_out: 0,
    cancelled: 0,
    lost: 0,
  },
  byRuntime: { subagent: 0, acp: 0, cli: 0, cron: 0 },
}

const NO_AUDIT = {
  total: 0,
  warnings: 0,
  errors: 0,
  byCode: {
    stale_queued: 0,
    stale_running: 0,
    lost: 0,
    delivery_failed: 0,
    missing_cleanup: 0,
    inconsistent_timestamps: 0,
  },
}

function readStatus(house: UpstreamHouse): unknown {
  const { version, work, channels } = house
  const recent = recentSessions(house)
  const count = work.sessions.size
  const path = 'journal'
  const agentId = DEFAULT_AGENT_ID
  return {
    runtimeVersion: version,
    heartbeat: {
      defaultAgentId: agentId,
      agents: [{ agentId, enabled: false, every: 'off', everyMs: null }],
    },
    channelSummary: Object.entries(channels.states()).map(([name, state]) => `${name}: ${state}`),
    queuedSystemEvents: [],
    degradedSecretOwners: [],
    degradedPlugins: [],
    troubles: troublesOf(house).map(({ kind, says }) => ({ kind, says })),
    tasks: NO_TASKS,
    taskAudit: NO_AUDIT,
    sessions: {
      paths: [path],
      count,
      defaults: { model: modelOf(house), contextTokens: null },
      recent,
      byAgent: [{ agentId, path, count, recent }],
    },
    mainSessionKey: MAIN_SESSION_KEY,
    pid: process.pid,
  }
}
