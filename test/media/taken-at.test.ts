import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTakenAt, takenAtUnix } from '../../src/media/taken-at.ts'

const MAY_DAY = { year: 2024, month: 5, day: 1, hour: 10, minute: 2, second: 30 }

describe('parseTakenAt', () => {
  it.each([
    ['2024:05:01 10:02:30', MAY_DAY],
    [' 2024:05:01  10:02:30 ', MAY_DAY],
    ['2024-05-01T10:02:30', MAY_DAY],
    ['2024/05/01 10:02:30', MAY_DAY],
    ['2024-05-01T10:02:30.26', MAY_DAY],
    ['2024-05-01T10:02:30Z', { ...MAY_DAY, offsetMinutes: 0 }],
    ['2024-05-01T10:02:30-00:00', { ...MAY_DAY, offsetMinutes: 0 }],
    ['2024-05-01T10:02:30.5+05:45', { ...MAY_DAY, offsetMinutes: 345 }],
    ['2024-05-01T10:02:30-0930', { ...MAY_DAY, offsetMinutes: -570 }],
    ['2024:05:01 10:02:30.526GMT+02:00', { ...MAY_DAY, offsetMinutes: 120 }],
    ['2024-05-01T10:02', { ...MAY_DAY, second: 0 }],
    ['2024-05-01', { ...MAY_DAY, hour: 0, minute: 0, second: 0 }],
    ['2024:02:29 00:00:00', { year: 2024, month: 2, day: 29, hour: 0, minute: 0, second: 0 }],
    ['2016:12:31 23:59:60', { year: 2016, month: 12, day: 31, hour: 23, minute: 59, second: 59 }],
  ])('reads %j', (text, taken) => {
    expect(parseTakenAt(text)).toEqual(taken)
  })

  it.each([
    '0000:00:00 00:00:00',
    '    :  :     :  :  ',
    '2024:00:01 10:00:00',
    '2024:13:01 10:00:00',
    '2024:02:30 10:00:00',
    '2023:02:29 10:00:00',
    '2024:05:01 24:00:00',
    '2024:05:01 10:60:00',
    '1799:05:01 10:00:00',
    '9999:05:01 10:00:00',
    '2024',
    '2024-05',
    'yesterday',
    '',
  ])('takes %j for no time', (text) => {
    expect(parseTakenAt(text)).toBeUndefined()
  })

  it('takes an offset that stands apart, and ignores one that no place has', () => {
    expect(parseTakenAt('2024:05:01 10:02:30', '+09:00')).toEqual({ ...MAY_DAY, offsetMinutes: 540 })
    expect(parseTakenAt('2024:05:01 10:02:30', '   :  ')).toEqual(MAY_DAY)
    expect(parseTakenAt('2024:05:01 10:02:30', '+99:00')).toEqual(MAY_DAY)
  })

  it('throws for no text, and every time it gives exists', () => {
    const digitish = fc.string({ unit: fc.constantFrom(...'0123456789:-+TZ. '), maxLength: 30 })
    fc.assert(
      fc.property(fc.oneof(fc.string(), digitish), (text) => {
        const taken = parseTakenAt(text)
        if (taken === undefined) return
        const date = new Date(Date.UTC(taken.year, taken.month - 1, taken.day, taken.hour, taken.minute, taken.second))
        expect(date.getUTCDate()).toBe(taken.day)
      }),
    )
  })
})

describe('takenAtUnix', () => {
  it('gives UTC, or the clock of a camera that counts its own time', () => {
    const seconds = Date.UTC(2024, 4, 1, 10, 2, 30) / 1000
    expect(takenAtUnix(seconds, 0)).toEqual({ ...MAY_DAY, offsetMinutes: 0 })
    expect(takenAtUnix(seconds)).toEqual(MAY_DAY)
  })

  it.each([Number.NaN, Infinity, 1e15, -1e15])('takes %d for no time', (seconds) => {
    expect(takenAtUnix(seconds)).toBeUndefined()
  })
})
