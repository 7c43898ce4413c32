/** The configuration's shape as JSON Schema: what forms are drawn of, and what is below a place. */
import * as assert from 'uvu/assert'
import { describeSchema } from '../../../protocol/config/describe.ts'
import {
  findSchemaPlace,
  formatHints,
  formatJsonSchema,
  type JsonSchema,
} from '../../../protocol/config/json-schema.ts'
import { cases } from '../../store/cases.ts'

const shape = cases('configuration as JSON Schema')

function leaves(schema: JsonSchema, path: string): string[] {
  const { properties = {}, additionalProperties, items, anyOf } = schema
  const below = [
    ...Object.entries(properties),
    ...[additionalProperties, items].flatMap((any): [string, JsonSchema][] =>
      any === undefined ? [] : [['*', any]],
    ),
    ...Object.entries(anyOf?.at(1)?.properties ?? {}),
  ]
  if (below.length === 0) return [path]
  return below.flatMap(([key, child]) => leaves(child, path === '' ? key : `${path}.${key}`))
}

shape('CS1 it has every key that this version acts on, and no other', () => {
  const acted = describeSchema().filter(({ supported }) => supported)

  assert.equal(leaves(formatJsonSchema(), '').sort(), acted.map(({ path }) => path).sort())
})

shape('CS2 bounds, words and what is required are said; secrets are hinted', () => {
  const { properties } = formatJsonSchema()
  const providers = properties?.['models']?.properties?.['providers']?.additionalProperties
  assert.equal(providers?.required, ['baseUrl'])
  const { type, ...words } = providers?.properties?.['api'] ?? {}
  assert.equal(
    [type, Object.values(words)],
    ['string', [['openai-completions', 'anthropic-messages']]],
  )
  const ask = properties?.['tools']?.properties?.['askMinutes']
  assert.equal([ask?.type, ask?.minimum, ask?.maximum], ['number', 0.01, 1_440])
  const secrets = describeSchema().filter(({ secret, supported }) => secret && supported)
  assert.equal(Object.keys(formatHints()).sort(), secrets.map(({ path }) => path).sort())
})

shape('CS3 one place says what is below it; names and numbers of lists are any', () => {
  const key = findSchemaPlace('models.providers.home.apiKey')
  assert.equal(
    [key?.schema, key?.reloadKind, key?.hint],
    [{ type: 'string', minLength: 1, maxLength: 4_096 }, 'hot', { sensitive: true }],
  )
  const model = findSchemaPlace('models.providers.home.models[0]')
  const id = model?.children.find((child) => child.key === 'id')
  assert.equal([id?.type, id?.required, id?.hasChildren], ['string', true, false])
  assert.is(findSchemaPlace('agents.defaults.model.primary')?.schema.type, 'string')
  assert.is(findSchemaPlace('.')?.children.find((child) => child.key === 'store')?.type, 'object')
})

shape('CS3 what is not there is not found, whatever it is called', () => {
  for (const path of [
    'nothing',
    'gateway.port.more',
    'models.providers.home.models.first',
    'gateway.toString',
    '__proto__',
    'tools.exec',
    '[]',
    '..',
  ]) {
    assert.is(findSchemaPlace(path), null, path)
  }
})

shape.run()
