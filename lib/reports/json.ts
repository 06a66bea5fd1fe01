/** The report as one JSON object, one line. */
import type { Report } from './report';

export const toJson = (report: Report): string => `${JSON.stringify(report)}\n`;
