/** Errors of the opset upgrade: models too old for it, versions nobody knows, and operators whose meaning cannot be carried over. */
import { dataError, usageError, type QdqError } from '../errors.ts';

export const opsetErrors = {
  /** @param where 'the model', or "function 'f'" */
  tooOld: (where: string, from: number, to: number, oldest: number): QdqError =>
    dataError(
      'OPSET_TOO_OLD',
      `${where} is opset ${from} and cannot be upgraded to opset ${to}: operators before opset ${oldest} mean something else`,
      `export the model with opset ${to} or later`,
    ),

  unknown: (opset: number, newest: number): QdqError =>
    usageError(
      'OPSET_UNKNOWN',
      `cannot upgrade to opset ${opset}: the newest that is known is ${newest}`,
      `ask for opset ${newest} or less`,
    ),

  tooLow: (asked: number, least: number): QdqError =>
    usageError(
      'OPSET_TOO_LOW',
      `--opset ${asked} is too old for what is asked: its operators need opset ${least}`,
      `--opset ${least} or later`,
    ),

  /** @param node its label, and the function it stands in; `from` and `to` are opsets */
  cannotUpgrade: (node: string, opType: string, from: number, to: number, reason: string): QdqError =>
    dataError(
      'OPSET_CANNOT_UPGRADE',
      `node '${node}' (${opType}) cannot be upgraded from opset ${from} to ${to}: ${reason}`,
      `export the model with opset ${to} or later`,
    ),
};
