/** What upstream publishes of its methods, and which of them our tests name. */
import { readdirSync } from 'node:fs'
import { read } from './lists.ts'

interface Published {
  readonly methods: Readonly<Record<string, { readonly scope: string }>>
}

/** The scope of each method, by npm `@openclaw/gateway-protocol`. */
export function publishedScopes(): ReadonlyMap<string, string> {
  const text = read('node_modules/@openclaw/gateway-protocol/protocol.schema.json')
  const { methods } = JSON.parse(text) as Published
  return new Map(Object.entries(methods).map(([name, { scope }]) => [name, scope]))
}

/** Which of some methods the tests of nodes, approvals and the like call. */
export function namedMethods(methods: readonly string[]): ReadonlySet<string> {
  const root = new URL('../../../tests/actors/', import.meta.url)
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  const texts = files
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => read(`tests/actors/${path.replaceAll('\\', '/')}`))
  return new Set(methods.filter((name) => texts.some((text) => text.includes(`'${name}'`))))
}
