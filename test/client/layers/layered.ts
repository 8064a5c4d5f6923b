import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import type { Layer } from '../../../src/client/destination.ts'
import { testDestination } from '../../contract/destination.ts'
import { localSubject } from '../drivers/local-subject.ts'

/** The contract of destinations, through a layer around each driver that needs no network. */
export function testLayer(name: string, layer: () => Layer): void {
  testDestination(`memory in ${name}`, () => ({ destination: layer()(memoryDestination()), halves: () => [] }))
  testDestination(`local in ${name}`, () => {
    const subject = localSubject()
    const { reopen, destination } = subject
    return { ...subject, destination: layer()(destination), reopen: () => layer()(reopen?.() ?? destination) }
  })
}
