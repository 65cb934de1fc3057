import { calibrateJudge } from '../../services/deployer/judge/calibration.ts'
import {
  beginJudge,
  beginStep,
  decide,
  type Judge,
  type Judgement,
  observe,
} from '../../services/deployer/judge/judge.ts'
import { judgeBoundsMs } from '../../services/deployer/splitter/bounds.ts'
import type { ArmRecorder } from './arms.ts'
import { promise } from './world.ts'

/** Chance of calling a good canary worse. */
export const alpha = 0.01
/** Stable's past that the judge is calibrated on: not so much that it holds the onset of the trouble. */
const pastSeconds = 60

/** The deployer's judge over a recorder: looks at each second once. */
export class Guard {
  readonly #recorder: ArmRecorder
  readonly #service: string
  #judge: Judge

  constructor(recorder: ArmRecorder, service: string, latencyTolerance: number, sinceSlot: number) {
    this.#recorder = recorder
    this.#service = service
    const slots = recorder.slotsOf(service)
    const past = slots.slice(Math.max(sinceSlot, slots.length - pastSeconds))
    this.#judge = beginJudge({
      alpha,
      allowedErrorShare: 1 - promise.objective,
      latencyTolerance,
      boundsMs: judgeBoundsMs,
      calibration: calibrateJudge(
        past.map(({ stable }) => ({ seconds: 1, arm: stable })),
        judgeBoundsMs,
      ),
    })
  }

  beginStep(): void {
    this.#judge = beginStep(this.#judge)
  }

  /** What the judge says with the last second. */
  look(isWarm: boolean): Judgement {
    this.#judge = observe(this.#judge, this.#recorder.slotsOf(this.#service).at(-1)!, isWarm)
    return decide(this.#judge)
  }
}
