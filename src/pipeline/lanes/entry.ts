import { parentPort, workerData } from 'node:worker_threads'

import type { Catalog, Destination } from '../../client/destination.ts'
import { openCatalog, openDestination, openDry, openToRead, type Place } from '../../client/open.ts'
import { type ErrorReport, reportOf } from '../../errors.ts'
import type { PipelineOptions } from '../options.ts'
import { Lane } from './lane.ts'
import type { FromLane, ToLane } from './messages.ts'
import type { SharedState } from './shared.ts'

/** What a lane's thread is started with. */
export interface LaneSettings {
  index: number
  options: PipelineOptions
  stateDir: string
  placeBit: number
  place: Place
  shared: SharedState
}

const settings = workerData as LaneSettings
const port = parentPort
if (!port) throw new Error('A lane runs in a worker thread.')

const send = (message: FromLane): void => port.postMessage(message)
const notice = (code: string, message: string): void => send({ event: { event: 'notice', code, message } })
const stopping = new AbortController()
const starting = start()

/** What keeps a lane from starting is the answer to whatever it is asked, so that it is told with its reason. */
async function start(): Promise<Lane | ErrorReport> {
  try {
    return new Lane({
      ...settings,
      ...(await openParts(settings)),
      url: settings.place.target.url,
      emit: (event) => send({ event }),
      signal: stopping.signal,
    })
  } catch (error) {
    return reportOf(error)
  }
}

async function openParts({
  options,
  place,
  index,
}: LaneSettings): Promise<{ destination: Destination; catalog: Catalog }> {
  if (options.dryRun) return openDry(place, index)
  if (options.task === 'verify') return openToRead(place, index)
  return { destination: await openDestination(place, index, notice), catalog: await openCatalog(place, notice) }
}

port.on('message', (message: ToLane) => {
  if (message.call === 'stop') stopping.abort()
  else void answer(message)
})

async function answer(message: Exclude<ToLane, { call: 'stop' }>): Promise<void> {
  const { id } = message
  const lane = await starting
  if (!(lane instanceof Lane)) return send(message.call === 'close' ? { id, result: undefined } : { id, error: lane })
  try {
    switch (message.call) {
      case 'scan':
        return send({ id, result: lane.scan(message.tasks) })
      case 'work':
        return send({ id, result: await lane.work(message.batch) })
      case 'close':
        await lane.close()
        return send({ id, result: undefined })
    }
  } catch (error) {
    send({ id, error: reportOf(error) })
  }
}
