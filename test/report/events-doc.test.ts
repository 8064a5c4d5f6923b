import { readFileSync } from 'node:fs'

import { describe, expect, test } from 'vitest'

import { notStoredWords, skipWords } from '../../src/report/words.ts'
import { everyEvent } from './samples.ts'

const text = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8')
const sections = new Map(
  text
    .split('\n### ')
    .slice(1)
    .map((section) => [/^`([\w-]+)`/.exec(section)?.[1] ?? '', section]),
)
const examples = [...text.matchAll(/```json\n(.*)\n```/g)].map(
  ([, line]) => JSON.parse(line ?? '') as Record<string, unknown>,
)

/** Names in the first column of the first table. */
function fieldsOf(section: string): string[] {
  const table = section.split('\n\n').find((block) => block.startsWith('| field')) ?? ''
  return table
    .split('\n')
    .slice(2)
    .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ''))
}

describe('docs/events.md', () => {
  test('has a section for every event and no other', () => {
    expect([...sections.keys()].toSorted()).toEqual(everyEvent.map(({ event }) => event).toSorted())
  })

  test.each(everyEvent)('$event: every field is told, and the example has all that are always there', (sample) => {
    const section = sections.get(sample.event) ?? ''
    const fields = fieldsOf(section)
    const optional = [...section.matchAll(/`(\w+)`\?/g)].map(([, name]) => name ?? '')
    expect(fields).toEqual(expect.arrayContaining(Object.keys(sample).filter((name) => name !== 'event')))
    const example = examples.find(({ event }) => event === sample.event) ?? {}
    expect(Object.keys(example)).toEqual(expect.arrayContaining(fields.filter((name) => !optional.includes(name))))
    expect([...fields, 'v', 'event']).toEqual(expect.arrayContaining(Object.keys(example)))
    expect(Object.keys(example).slice(0, 2)).toEqual(['v', 'event'])
  })

  test('tells every reason', () => {
    for (const reason of Object.keys({ ...skipWords, ...notStoredWords })) expect(text).toContain(`| \`${reason}\` |`)
  })
})
