/** Client libraries that others build on, each driven by a program in `drivers/`. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Living } from '../process.ts'
import { type Expectation, type Row, says, type Seen } from '../row.ts'
import type { Scene } from '../scene.ts'
import { mcpSession } from './mcp.ts'

const noFaults: Expectation = {
  what: 'no step that fails',
  holds: ({ text }) => /^step ok/m.test(text) && !/^step FAIL/m.test(text),
}

/** Starts a driver; it asks for a restart of the gateway where it wants one. */
async function drive(scene: Scene, name: string): Promise<Seen> {
  const driver = fileURLToPath(new URL(`../drivers/${name}.js`, import.meta.url))
  const args = [driver, scene.packages('clients'), scene.url, scene.target.token]
  const started = scene.start(scene.node, args)
  void obey(started, scene)
  const code = await started.ended
  return { code, text: started.text() }
}

async function obey(started: Living, { target }: Scene): Promise<void> {
  const isAsked = await started.says(/^restart please$/m).then(
    () => true,
    () => false,
  )
  if (isAsked) await target.restart?.()
}

function library(name: string, driver: string): Row {
  return {
    name,
    release: 'new',
    needs: ['node24', 'clients'],
    isQuick: true,
    seconds: 300, // Some thirty steps, and a restart of the gateway among them.
    run: (scene) => drive(scene, driver),
    expect: [noFaults, says(/^done$/m)],
  }
}

async function mcp(scene: Scene): Promise<Seen> {
  const main = join(scene.packages('clients'), 'node_modules/openclaw-mcp/dist/index.js')
  const server = scene.start(scene.node, [main], {
    OPENCLAW_URL: scene.http,
    OPENCLAW_GATEWAY_TOKEN: scene.target.token,
    OPENCLAW_MODEL: 'openclaw',
  })
  const text = await mcpSession(server)
  return { code: await server.stop(), text }
}

export const clientRows: readonly Row[] = [
  library('@openclaw/gateway-client', 'gateway-client'),
  library('openclaw-node', 'openclaw-node'),
  {
    name: 'openclaw-mcp',
    release: 'new',
    needs: ['node24', 'clients'],
    isQuick: true,
    run: mcp,
    expect: [
      noFaults,
      says(/^step ok openclaw_chat: [^]*?echo: [^]*?hi from mcp/m),
      says(/^step ok openclaw_task_status: [^]*?completed/m),
    ],
  },
]
