/** A headless node of upstream's, from pairing to a command that it runs. */
import { at, type Expectation, jsonIn, type Row, says, type Seen } from '../row.ts'
import type { Scene } from '../scene.ts'

const ASKS_MAX = 5
const PARAMS = '{"bins":["ls"]}'

/** Says under which heading a step's output stands in the text of the row. */
function step(name: string, { code, text }: Seen): string {
  return `=== ${name} (exit code ${code})\n${text}`
}

function ended(name: string): Expectation {
  return says(new RegExp(`=== ${name} \\(exit code 0\\)`))
}

async function run(scene: Scene): Promise<Seen> {
  const { host, port, token } = scene.target
  const where = ['--host', host, '--port', String(port)]
  const node = scene.startCli(['node', 'run', ...where], { OPENCLAW_GATEWAY_TOKEN: token })
  await node.says(/node host gateway connected/)
  const pending = await untilPending(scene)
  const [requestId, nodeId] = firstOf(pending)
  const steps: string[] = [step('pending', pending)]
  const verbs: readonly (readonly [string, readonly string[]])[] = [
    ['approve', ['approve', requestId]],
    ['list', ['list']],
    ['status', ['status']],
    ['describe', ['describe', '--node', nodeId]],
    ['invoke', ['invoke', '--node', nodeId, '--command', 'system.which', '--params', PARAMS]],
    ['rename', ['rename', '--node', nodeId, '--name', 'workbench']],
  ]
  for (const [name, args] of verbs) steps.push(step(name, await scene.cli('nodes', ...args)))
  steps.push(step('approvals', await scene.cli('approvals', 'get', '--node', nodeId)))
  const code = await node.stop()
  return { code, text: [...steps, `=== node run\n${node.text()}`].join('\n') }
}

/** Asks until a node waits; it asks for its abilities a moment after it is connected. */
async function untilPending(scene: Scene): Promise<Seen> {
  for (let count = 1; ; count += 1) {
    const pending = await scene.cli('nodes', 'pending', '--json')
    if (count === ASKS_MAX || /"requestId"/.test(pending.text)) return pending
  }
}

function firstOf({ text }: Seen): [string, string] {
  const found = jsonIn(text)
  const first: unknown = Array.isArray(found) ? found.at(-1) : at(found, 'pending', 0)
  const ids = [at(first, 'requestId'), at(first, 'nodeId')]
  if (!ids.every((id) => typeof id === 'string')) throw new Error(`no node waits: ${text}`)
  return ids as [string, string]
}

export const nodeRows: readonly Row[] = [
  {
    name: 'node run, approve, invoke',
    release: 'new',
    needs: ['node24', 'openclaw'],
    seconds: 300, // Nine commands, one after the other.
    run,
    expect: [
      ...['pending', 'approve', 'list', 'status', 'describe', 'invoke', 'rename', 'approvals'].map(
        ended,
      ),
      says(/Connected: [1-9]/),
      says(/"ls": "\/[\w/]*ls"/),
      says(/-> workbench/),
    ],
  },
]
