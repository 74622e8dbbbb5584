/* util/clock.h -- time, with its unit in every name. Thread: any. */
#ifndef HEDDLE_UTIL_CLOCK_H
#define HEDDLE_UTIL_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ms(void);   /* never goes back; for durations */
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void);   /* since the Unix epoch; for records */
int64_t clock_wall_us(void);

/* "2026-01-31T09:30:00.123456Z" (UTC), as dbt writes times. out holds CLOCK_ISO_SIZE bytes. */
#define CLOCK_ISO_SIZE 40
void clock_iso(int64_t wall_us, char out[CLOCK_ISO_SIZE]);

/* "2026-01-31T09:30:00.5+02:00", "2026-01-31 09:30:00Z", "2026-01-31" -> microseconds since the
 * epoch; without a zone it is UTC. INT64_MIN when it is not such a time. */
int64_t clock_parse_iso_us(const char *text);

/* "09:30:00" local time. out holds at least 9 bytes. */
void clock_hms(int64_t wall_ms, char out[9]);
/* "2026-01-31 09:30" local time. out holds at least CLOCK_DAY_SIZE bytes. */
#define CLOCK_DAY_SIZE 24
void clock_day(int64_t wall_ms, char out[CLOCK_DAY_SIZE]);

/* "06:00", "6:00:30": the next time the local clock shows that after now_ms, today or tomorrow. -1
 * when it is not such a time. */
int64_t clock_next_local_ms(const char *text, int64_t now_ms);

/* "5s", "1.5m", "2h", "250ms", "90" (seconds) -> milliseconds, or -1 when it is not a duration. */
int64_t clock_parse_duration_ms(const char *text);

#endif
