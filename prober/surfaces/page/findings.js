// What a matrix says in words. The words are the controller's (prober/surfaces/findings.py); here they get their looks.
import { shown } from "./element.js";
import { look } from "./labels.js";

/** Whatever is not healthy, one finding a culprit, worst first: the document's rows, each with its `look`. */
export const findings = (matrix) =>
  matrix.findings.map((one) => ({ ...one, look: look(one.label), line: shown(one.line) }));

/** The state of the whole network in one sentence. */
export const sentence = (matrix) => shown(matrix.sentence);
