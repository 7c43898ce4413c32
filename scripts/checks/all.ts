/**
 * The checks of `doctor`, by their ids, in the order in which they are shown.
 */
import type { Check } from './finding.ts'
import { checkAlerts } from './alerts.ts'
import { checkArchives } from './archives.ts'
import { checkBackups } from './backups.ts'
import { checkModels } from './config.ts'
import { checkChannels, checkGateway, checkPort } from './gateway.ts'
import {
  checkDisk,
  checkModes,
  checkNode,
  checkStateDir,
  checkWorkspace,
  fixModes,
  makeStateDir,
} from './house.ts'
import { checkClock, checkSnapshots } from './journal.ts'
import { checkGrants } from './grants.ts'
import { checkKeys } from './keys.ts'
import { checkLeftovers, removeLeftovers } from './leftovers.ts'
import { checkTls } from './tls.ts'

/** Every check. */
export const CHECKS: readonly Check[] = [
  { id: 'node', run: () => Promise.resolve([checkNode()]) },
  {
    id: 'permissions',
    run: async ({ settings }) => [await checkStateDir(settings.stateDir)],
    fix: ({ settings }) => makeStateDir(settings.stateDir),
  },
  {
    id: 'modes',
    run: async ({ settings }) => [await checkModes(settings.stateDir)],
    fix: ({ settings }) => fixModes(settings.stateDir),
  },
  { id: 'leftovers', run: checkLeftovers, fix: removeLeftovers },
  { id: 'configuration', run: async ({ checkedConfig }) => (await checkedConfig()).findings },
  {
    id: 'certificate',
    run: async ({ config, settings }) => {
      const resolved = await config()
      return resolved === null ? [] : checkTls(resolved.gateway.tls, settings.configPath)
    },
  },
  {
    id: 'workspace',
    run: async ({ config }) => checkWorkspace((await config())?.tools.workspace ?? null),
  },
  { id: 'disk', run: checkDisk },
  { id: 'port', run: checkPort },
  { id: 'gateway', run: checkGateway },
  { id: 'channels', run: checkChannels },
  { id: 'journal', run: ({ journal }) => journal() },
  { id: 'snapshot', run: checkSnapshots },
  { id: 'clock', run: checkClock },
  { id: 'keys', run: checkKeys },
  { id: 'grants', run: checkGrants },
  { id: 'archives', run: checkArchives },
  { id: 'backups', run: checkBackups },
  {
    id: 'models',
    run: async ({ config, env }) => {
      const resolved = await config()
      return resolved === null ? [] : checkModels(resolved, env)
    },
  },
  {
    id: 'alerts',
    run: async ({ config }) => {
      const resolved = await config()
      return resolved === null ? [] : checkAlerts(resolved.gateway.alerts)
    },
  },
]
