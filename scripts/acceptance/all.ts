/**
 * The acceptance: upstream's published clients, unmodified, against a gateway, one row each.
 *
 *   node dist/scripts/acceptance/all.js [--only NAME,…] [--release new|old] [--quick]
 *                                       [--against ours|real | --url ws://… --token T]
 *                                       [--small] [--node FILE]
 *                                       [--record FILE] [--artefacts DIR] [--list]
 *   stdout      `ok NAME 3.2 s`, or `FAIL NAME 3.2 s` with what was expected and what was seen;
 *               `N passed, N failed` at the end
 *   exit code   0: all passed · 1: some failed · 2: it could not be made
 *
 * `--small` runs the rows that need no more than the client libraries, against a gateway without
 * pages: 45 MiB are installed for it instead of 1.4 GiB. `--node` is a Node that runs the clients,
 * for those that want a newer one; without it one is installed. `--only` takes parts of names. `--against real` runs upstream's own gateways, to show that the
 * rows are true of the original. `--record` writes each frame that passed as a line of JSON, and
 * holds those that the gateway sent to upstream's published schema; a refused frame is a failure.
 */
import { createWriteStream, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { FrameAudit } from '../../tests/support/frame-audit.ts'
import { type Recorder, startRecorder } from '../../tests/support/recorder.ts'
import {
  type Installed,
  installUpstream,
  type PackageSet,
} from '../../tests/support/upstream-packages.ts'
import { type Against, type Gateway, packagesOf, startGateway } from './gateways.ts'
import { killAll } from './process.ts'
import { DEADLINE_SECONDS, type Release, type Row } from './row.ts'
import { show, showText } from '../output.ts'
import { rows } from './rows.ts'
import { removeDirectory, Scene, type Target } from './scene.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    release: { type: 'string' },
    quick: { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    node: { type: 'string' },
    against: { type: 'string', default: 'ours' },
    url: { type: 'string' },
    token: { type: 'string' },
    record: { type: 'string' },
    artefacts: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})

const SEEN_MAX = 2_000 // characters of what a client said, where a row failed
const SMALL: ReadonlySet<PackageSet> = new Set(['node24', 'clients'])
const against: Against = values.against === 'real' ? 'real' : 'ours'
const directory = mkdtempSync(join(tmpdir(), 'openclaw-acceptance-'))
const artefacts = values.artefacts ?? mkdtempSync(join(tmpdir(), 'openclaw-artefacts-'))
const installed = new Map<PackageSet, Installed>()
const audit = new FrameAudit()
const recording = values.record === undefined ? null : createWriteStream(values.record)

let passed = 0
let failed = 0

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    killAll()
    void removeDirectory(directory).then(() => process.exit(1))
  })
}

try {
  const chosen = chooseRows()
  if (values.list) for (const { name, release } of chosen) show(`${name} (${release})`)
  else await runAll(chosen)
} catch (thrown) {
  show(thrown instanceof Error ? thrown.message : String(thrown))
  process.exitCode = 2
} finally {
  killAll()
  await removeDirectory(directory)
  if (recording !== null) await promisify(recording.end.bind(recording))()
}
// A pipe that somebody else's process still holds must not keep this one.
process.exit()

function chooseRows(): Row[] {
  const parts = values.only?.split(',')
  return rows.filter(
    ({ name, release, isQuick, needs }) =>
      (!values.small || needs.every((set) => SMALL.has(set))) &&
      (parts === undefined || parts.some((part) => name.includes(part))) &&
      (values.release === undefined || release === values.release) &&
      (!values.quick || isQuick === true),
  )
}

async function runAll(chosen: readonly Row[]): Promise<void> {
  mkdirSync(artefacts, { recursive: true })
  for (const release of ['new', 'old'] as const) {
    const ofRelease = chosen.filter((row) => row.release === release)
    if (ofRelease.length > 0) await runRelease(ofRelease, release)
  }
  if (recording !== null) reportFrames()
  show(`screenshots and typescripts: ${artefacts}`)
  show(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}

/** Runs the rows of one release against one gateway. */
async function runRelease(chosen: readonly Row[], release: Release): Promise<void> {
  const needsNone = values.url !== undefined || (values.small && against === 'ours')
  const ofGateway = needsNone ? [] : packagesOf(against, release)
  const ofRows = chosen.flatMap(({ needs }) => needs).filter((set) => !isGiven(set))
  for (const set of new Set([...ofGateway, ...ofRows])) {
    const done = installed.get(set) ?? (await installUpstream(set))
    installed.set(set, done)
    show(`-- ${set}: ${done.mebibytes} MiB, installed in ${done.seconds.toFixed(0)} s`)
  }
  const plan = { against, release, directory: join(directory, `gateway-${release}`), installed }
  const gateway = values.url === undefined ? await startGateway(plan) : null
  const direct = gateway === null ? given(values.url ?? '') : targetOf(gateway)
  const recorder = recording === null ? null : await record(direct)
  try {
    const target =
      recorder === null ? direct : { ...direct, host: '127.0.0.1', port: recorder.port }
    for (const [index, row] of chosen.entries()) {
      await runRow(row, target, join(directory, `${release}-${index}`))
    }
  } finally {
    await recorder?.close()
    await gateway?.stop()
  }
}

// Only Node itself can be given; upstream's own gateways run with the one that is installed.
function isGiven(set: PackageSet): boolean {
  return values.node !== undefined && against === 'ours' && (set === 'node24' || set === 'node22')
}

function record(target: Target): Promise<Recorder> {
  return startRecorder(target, (recorded) => {
    audit.take(recorded)
    recording?.write(`${JSON.stringify(recorded)}\n`)
  })
}

function targetOf({ port, token, restart }: Gateway): Target {
  return { host: '127.0.0.1', port, token, restart }
}

function given(text: string): Target {
  const { hostname, port } = new URL(text)
  return { host: hostname, port: Number(port), token: values.token ?? '', restart: null }
}

/** Runs one row within its deadline and judges it. */
async function runRow(row: Row, target: Target, home: string): Promise<void> {
  const node = isGiven('node24') ? (values.node ?? null) : null
  const { release } = row
  const scene = new Scene({ target, home, artefacts, installed, release, node })
  const startedAt = performance.now()
  const limit = row.seconds ?? DEADLINE_SECONDS
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${limit} s`)), limit * 1_000)
  })
  let faults: string[]
  let text = ''
  try {
    const seen = await Promise.race([row.run(scene), late])
    text = seen.text
    faults = row.expect.filter(({ holds }) => !holds(seen)).map(({ what }) => `expected ${what}`)
    if (faults.length > 0) faults.push(`exit code ${seen.code}`)
  } catch (thrown) {
    faults = [thrown instanceof Error ? thrown.message : String(thrown)]
  } finally {
    clearTimeout(timer)
    await scene.end()
  }
  tell(row.name, (performance.now() - startedAt) / 1_000, { faults, text })
}

function tell(name: string, seconds: number, seen: { faults: string[]; text: string }): void {
  const isGood = seen.faults.length === 0
  if (isGood) passed += 1
  else failed += 1
  show(`${isGood ? 'ok' : 'FAIL'} ${name} ${seconds.toFixed(1)} s`)
  if (isGood) return
  for (const fault of seen.faults) show(`     ${fault}`)
  const said = seen.text.trim().slice(0, SEEN_MAX)
  showText(`     seen: ${said.replaceAll('\n', '\n     ')}`)
}

/** Tells which frames the published schema refuses; each kind is a failure. */
function reportFrames(): void {
  const { frames, faults, unpublished } = audit.report()
  show(`${frames} frames of the gateway held to upstream's published schema`)
  show(`-- nothing is published for: ${[...unpublished].sort().join(', ')}`)
  for (const [fault, count] of faults) show(`FAIL frames: ${fault} (${count} times)`)
  if (frames > 0 && faults.size === 0) passed += 1
  failed += faults.size
}
