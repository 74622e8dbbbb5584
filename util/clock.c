#include "util/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t
clock_wall_ms(void)
{
	return clock_wall_us() / 1000;
}

void
clock_iso(int64_t wall_us, char out[CLOCK_ISO_SIZE])
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;
	char day[24];

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, CLOCK_ISO_SIZE, "%s.%06dZ", day, (int)(wall_us % 1000000));
}

/* n digits into *value; moves *s past them. */
static bool
take_digits(const char **s, size_t n, int *value)
{
	*value = 0;
	for (size_t i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*value = *value * 10 + (**s - '0');
	}
	return true;
}

static bool
take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* Microseconds after the seconds' point: any number of digits, the first six count. */
static int
take_fraction(const char **s)
{
	int us = 0;

	for (int unit = 100000; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
		us += (**s - '0') * unit;
	return us;
}

/* Z, +02:00, -0530 or nothing, in seconds east; the text must end there. */
static bool
take_zone(const char *s, int *seconds)
{
	int hours, minutes = 0, sign = *s == '-' ? -1 : 1;

	*seconds = 0;
	if (*s == '\0' || strcmp(s, "Z") == 0)
		return true;
	if (*s != '-' && *s != '+')
		return false;
	s++;
	if (!take_digits(&s, 2, &hours))
		return false;
	if (*s) {
		take_char(&s, ':');
		if (!take_digits(&s, 2, &minutes))
			return false;
	}
	*seconds = sign * (hours * 60 + minutes) * 60;
	return *s == '\0';
}

int64_t
clock_parse_iso_us(const char *text)
{
	struct tm tm = {0};
	const char *s = text;
	int us = 0, zone = 0;

	if (!take_digits(&s, 4, &tm.tm_year) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &tm.tm_mon) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &tm.tm_mday))
		return INT64_MIN;
	if (*s) {
		if (!take_char(&s, 'T') && !take_char(&s, ' '))
			return INT64_MIN;
		if (!take_digits(&s, 2, &tm.tm_hour) || !take_char(&s, ':') ||
		    !take_digits(&s, 2, &tm.tm_min))
			return INT64_MIN;
		if (take_char(&s, ':') && !take_digits(&s, 2, &tm.tm_sec))
			return INT64_MIN;
		if (take_char(&s, '.') || take_char(&s, ','))
			us = take_fraction(&s);
		if (!take_zone(s, &zone))
			return INT64_MIN;
	}
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 24 || tm.tm_min > 59 || tm.tm_sec > 60)
		return INT64_MIN;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return ((int64_t)timegm(&tm) - zone) * 1000000 + us;
}

void
clock_hms(int64_t wall_ms, char out[9])
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(out, 9, "%H:%M:%S", &tm);
}

void
clock_day(int64_t wall_ms, char out[CLOCK_DAY_SIZE])
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(out, CLOCK_DAY_SIZE, "%Y-%m-%d %H:%M", &tm);
}

int64_t
clock_next_local_ms(const char *text, int64_t now_ms)
{
	time_t now = (time_t)(now_ms / 1000), then;
	unsigned h, m, sec = 0;
	int end = 0;
	struct tm tm;

	if (*text < '0' || *text > '9' || (sscanf(text, "%2u:%2u%n", &h, &m, &end), end == 0))
		return -1;
	if (text[end] == ':') {
		text += end;
		end = 0;
		if (sscanf(text, ":%2u%n", &sec, &end) != 1)
			return -1;
	}
	if (text[end] != '\0' || h > 23 || m > 59 || sec > 59)
		return -1;
	localtime_r(&now, &tm);
	for (int day = 0; day < 2; day++) {
		struct tm at = { .tm_year = tm.tm_year, .tm_mon = tm.tm_mon,
			.tm_mday = tm.tm_mday + day,
			.tm_hour = (int)h, .tm_min = (int)m, .tm_sec = (int)sec, .tm_isdst = -1 };

		then = mktime(&at);
		if ((int64_t)then * 1000 > now_ms)
			break;
	}
	return (int64_t)then * 1000;
}

int64_t
clock_parse_duration_ms(const char *text)
{
	static const struct { const char *unit; double ms; } units[] = {
		{ "", 1e3 }, { "ms", 1 }, { "s", 1e3 }, { "m", 60e3 }, { "h", 3600e3 },
		{ "d", 86400e3 },
	};
	char *end;
	double n;

	if (*text < '0' || *text > '9')
		return -1;
	n = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0 && n * units[i].ms < 9e15)
			return (int64_t)(n * units[i].ms + 0.5);
	return -1;
}
