/**
 * `openclaw config get|set|unset|validate|edit|schema`: the configuration, through the gateway where
 * one runs, else in its file. Both ways a broken configuration is refused before it counts.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GatewayError, toGatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { reachArgs } from '../arguments.ts'
import type { Payload } from '../client.ts'
import { columns, note, show, showJson, showText } from '../output.ts'
import { readSettings, type Settings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

const pathArg = {
  type: 'positional',
  required: true,
  valueHint: 'PATH',
  description: 'such as agents.defaults.model',
} as const

export const configGet = defineVerb({
  name: 'config get',
  description: 'Show the configuration, or one part of it, without its secrets',
  args: { ...reachArgs, path: { ...pathArg, required: false } },
  async run(args) {
    const settings = await readSettings(args)
    const whole = await readConfig(settings)
    const { valueAt } = await import('../../protocol/config/path.ts')
    const value = valueAt(whole['parsed'], args.path === undefined ? [] : keysOf(args.path))
    if (value === undefined) {
      throw new GatewayError('NOT_FOUND', `${args.path ?? ''}: not set, or a secret`)
    }
    if (args.json && args.path === undefined) showJson(whole)
    else if (args.json) showJson({ ok: true, path: args.path, value })
    else showText(typeof value === 'string' ? value : JSON.stringify(value, null, 2))
    const secrets = whole['secretPaths']
    if (!args.json && args.path === undefined && Array.isArray(secrets) && secrets.length > 0) {
      note(`Not shown: ${secrets.join(', ')}`)
    }
    return 0
  },
})

export const configSet = defineVerb({
  name: 'config set',
  description: 'Change one part: PATH VALUE, the value as JSON5 or as a plain text',
  args: {
    ...reachArgs,
    path: pathArg,
    value: {
      type: 'positional',
      required: true,
      valueHint: 'VALUE',
      description: 'JSON5 or a text',
    },
  },
  async run(args) {
    return applyPatch(args, patchOf(args.path, await readValue(args.value)))
  },
})

export const configUnset = defineVerb({
  name: 'config unset',
  description: 'Remove one part, so that its default counts',
  args: { ...reachArgs, path: pathArg },
  run: (args) => applyPatch(args, patchOf(args.path, null)),
})

export const configValidate = defineVerb({
  name: 'config validate',
  description: 'Judge a configuration file as a start would',
  args: {
    ...reachArgs,
    file: { type: 'positional', required: false, valueHint: 'FILE', description: 'default: ours' },
  },
  async run(args) {
    const path = args.file ?? (await readSettings(args)).configPath
    const { judgeText } = await import('../../actors/config.ts')
    judgeText(readOrEmpty(path, args.file !== undefined), path, process.env)
    if (args.json) showJson({ ok: true, path })
    else show(`${path} is good`)
    return 0
  },
})

export const configSchema = defineVerb({
  name: 'config schema',
  description: 'List every key: what it holds, and whether a change takes a restart',
  args: reachArgs,
  async run(args) {
    const { describeSchema } = await import('../../protocol/config/describe.ts')
    const keys = describeSchema()
    if (args.json) showJson({ ok: true, schema: keys })
    else {
      const rows = keys
        .filter(({ supported }) => supported)
        .map(({ path, expects, secret, effect }) => [
          path,
          secret ? `${expects} (secret)` : expects,
          effect === 'hot' ? 'at once' : 'restart',
        ])
      for (const line of columns(rows)) show(line)
    }
    return 0
  },
})

export const configEdit = defineVerb({
  name: 'config edit',
  description: 'Open the configuration in $EDITOR; a broken edit is refused and changes nothing',
  args: reachArgs,
  async run(args) {
    const settings = await readSettings(args)
    const before = readOrEmpty(settings.configPath, false) || '{\n}\n'
    const directory = mkdtempSync(join(tmpdir(), 'openclaw-edit-'))
    const file = join(directory, 'openclaw.json')
    try {
      writeFileSync(file, before, { mode: 0o600 })
      const editor = process.env['VISUAL'] ?? process.env['EDITOR'] ?? 'vi'
      const { status } = spawnSync(editor, [file], { stdio: 'inherit', shell: true })
      if (status !== 0) throw new GatewayError('USAGE', `${editor} ended with ${String(status)}`)
      const after = readFileSync(file, 'utf8')
      if (after === before) {
        note('nothing was changed')
        return 0
      }
      return await writeFileText(settings, after, args.json === true)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
})

interface Flags {
  readonly json?: boolean | undefined
  readonly port?: string | undefined
  readonly token?: string | undefined
}

async function readConfig(settings: Settings): Promise<Payload> {
  const answer = await ask(settings, 'config.get', {})
  if (answer !== null) return answer
  const { parseConfigText } = await import('../../protocol/config/parse.ts')
  const { redactConfig } = await import('../../protocol/config/redact.ts')
  const text = readOrEmpty(settings.configPath, false)
  const parsed = text === '' ? {} : parseConfigText(text, settings.configPath)
  const { config, secretPaths } = redactConfig(parsed)
  return { path: settings.configPath, parsed: config, secretPaths }
}

/** Asks a running gateway; null where none runs. */
async function ask(settings: Settings, method: string, params: object): Promise<Payload | null> {
  const { askAt } = await import('../ask.ts')
  try {
    return await askAt(settings, method, params)
  } catch (thrown) {
    if (toGatewayError(thrown).code === 'NOT_RUNNING') return null
    throw thrown
  }
}

async function applyPatch(args: Flags, patch: object): Promise<number> {
  const settings = await readSettings(args)
  const current = await ask(settings, 'config.get', {})
  if (current === null) {
    const { parseConfigText } = await import('../../protocol/config/parse.ts')
    const { mergePatch } = await import('../../protocol/config/change.ts')
    const text = readOrEmpty(settings.configPath, false)
    const parsed = text === '' ? {} : parseConfigText(text, settings.configPath)
    const next = `${JSON.stringify(mergePatch(parsed, patch), null, 2)}\n`
    return writeFileText(settings, next, args.json === true)
  }
  const params = { raw: JSON.stringify(patch), baseHash: current['hash'], restartDelayMs: 0 }
  const answer = await ask(settings, 'config.patch', params)
  if (args.json) showJson({ ok: true, ...answer })
  else tell(answer ?? {})
  return 0
}

function tell({ effect, changedPaths }: Payload): void {
  if (effect === 'none') return show('nothing differs')
  const paths = Array.isArray(changedPaths) ? changedPaths.join(', ') : ''
  // A file that was broken is written anew as what runs.
  if (paths === '') return show('wrote what runs already')
  show(`changed ${paths}: ${effect === 'hot' ? 'takes effect at once' : 'the gateway restarts'}`)
}

// A gateway that runs notices the edit and judges it once more.
async function writeFileText(settings: Settings, text: string, json: boolean): Promise<number> {
  const { judgeText } = await import('../../actors/config.ts')
  const { ConfigFiles } = await import('../../actors/config-files.ts')
  judgeText(text, settings.configPath, process.env)
  new ConfigFiles(settings.stateDir, settings.configPath).write(text)
  if (json) showJson({ ok: true, path: settings.configPath })
  else show(`wrote ${settings.configPath}`)
  return 0
}

function readOrEmpty(path: string, isNamed: boolean): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    if (isMissing && !isNamed) return ''
    throw new GatewayError(
      isMissing ? 'NOT_FOUND' : 'PERMISSION',
      `${path} cannot be read`,
      { path },
      cause,
    )
  }
}

/** Makes a merge patch that sets one path; null removes. */
function patchOf(path: string, value: unknown): object {
  const patch = keysOf(path).reduceRight<unknown>((member, key) => ({ [key]: member }), value)
  return patch as object
}

// `channels.irc.groups["#home"].allowFrom`, as messages write paths.
function keysOf(path: string): string[] {
  const keys = [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\.?([^.[\]]+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  )
  if (keys.length > 0 && !keys.some((key) => /^(?:__proto__|constructor|prototype)$/.test(key)))
    return keys
  throw new GatewayError(
    'USAGE',
    `PATH: expected such as agents.defaults.model, got ${quote(path)}`,
  )
}

async function readValue(text: string): Promise<unknown> {
  const { default: json5 } = await import('json5')
  try {
    return json5.parse(text)
  } catch {
    return text
  }
}
