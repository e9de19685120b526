import type { SluiceError } from "../../../core/errors.ts";

/** Thrown by a member whose writes so far must be committed although the call fails: the record that an attempt was fenced. */
export class KeptFailure extends Error {
  readonly error: SluiceError;

  constructor(error: SluiceError) {
    super(error.message);
    this.name = "KeptFailure";
    this.error = error;
  }
}
