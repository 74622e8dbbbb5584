/*
 * What a plain scalar means: resolver.py and constructor.py of PyYAML, which are YAML 1.1 with
 * gaps of their own (1e3, 08 and -.5 are text).
 */
#include "util/yscalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
yscalar_is_one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

#define DIGITS "0123456789"

/* s[0..n) in a base, underscores left out. */
static double
digits_value(const char *s, size_t n, unsigned base)
{
	static const char digits[] = "0123456789abcdef";
	double value = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] + 32) : s[i];

		if (c != '_')
			value = value * base + (double)(strchr(digits, c) - digits);
	}
	return value;
}

/* 1:30 is 90: groups of sixty. Moves *s past them; false when there is no such group. */
static bool
read_sixties(const char **s, double *value)
{
	bool any = false;

	while (**s == ':') {
		size_t n = strspn(*s + 1, DIGITS);

		if (n == 0 || n > 2 || (n == 2 && (*s)[1] > '5'))
			return false;
		*value = *value * 60 + digits_value(*s + 1, n, 10);
		*s += 1 + n;
		any = true;
	}
	return any;
}

static bool
read_int(const char *s, double *value)
{
	static const struct { const char *prefix, *set; unsigned base; } bases[] = {
		{ "0b", "01_", 2 }, { "0x", DIGITS "abcdefABCDEF_", 16 }, { "0", "01234567_", 8 },
	};
	double sign = *s == '-' ? -1 : 1;
	size_t n;

	s += *s == '-' || *s == '+';
	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		size_t k = strlen(bases[i].prefix);

		if (strncmp(s, bases[i].prefix, k) != 0 || !s[k])
			continue;
		n = strspn(s + k, bases[i].set);
		if (s[k + n])
			continue;
		*value = sign * digits_value(s + k, n, bases[i].base) + 0;
		return true;
	}
	if (*s < '0' || *s > '9' || (*s == '0' && s[1]))
		return false;
	n = strspn(s, DIGITS "_");
	*value = digits_value(s, n, 10);
	s += n;
	if (*s && !read_sixties(&s, value))
		return false;
	*value = *value * sign + 0;   /* -0 is 0 */
	return *s == '\0';
}

/* Digits after the point, an exponent that must have its sign; moves *s past them. */
static double
read_fraction(const char **s)
{
	double value = 0, scale = 1;
	const char *at = *s + 1;
	size_t n;

	for (; *at == '_' || (*at >= '0' && *at <= '9'); at++)
		if (*at != '_')
			value += (*at - '0') * (scale /= 10);
	if ((*at == 'e' || *at == 'E') && (at[1] == '+' || at[1] == '-')) {
		n = strspn(at + 2, DIGITS);
		at += n ? 2 + n : 0;
	}
	*s = at;
	return value;
}

/* The number in s without its underscores, as Python's float() reads it. */
static double
plain_float(const char *s)
{
	char text[512];
	size_t n = 0;

	for (; *s && n < sizeof(text) - 1; s++)
		if (*s != '_')
			text[n++] = *s;
	text[n] = '\0';
	return strtod(text, NULL);
}

static bool
read_float(const char *s, double *value)
{
	const char *from = s, *digits;
	double sign = *s == '-' ? -1 : 1;

	if (ONE_OF(s, ".nan", ".NaN", ".NAN")) {
		*value = NAN;
		return true;
	}
	s += *s == '-' || *s == '+';
	if (ONE_OF(s, ".inf", ".Inf", ".INF")) {
		*value = sign * INFINITY;
		return true;
	}
	digits = s;
	if (*s >= '0' && *s <= '9')
		s += strspn(s, DIGITS "_");
	else if (s != from || s[0] != '.' || s[1] < '0' || s[1] > '9')
		return false;
	if (*s == ':') {
		*value = digits_value(digits, (size_t)(s - digits), 10);
		if (!read_sixties(&s, value) || *s != '.')
			return false;
		*value = sign * (*value + read_fraction(&s));
		return *s == '\0' && !strpbrk(digits, "eE");
	}
	if (*s != '.')
		return false;
	read_fraction(&s);
	if (*s)
		return false;
	*value = plain_float(from);
	return true;
}

/* n digits, at most `most`; -1 when there are none. Moves *s on. */
static int
read_digits(const char **s, size_t least, size_t most)
{
	size_t n = strspn(*s, DIGITS);
	int value = 0;

	if (n < least)
		return -1;
	if (n > most)
		n = most;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + ((*s)[i] - '0');
	*s += n;
	return value;
}

/* The part of a timestamp after its seconds, as isoformat() of Python writes it. */
static bool
read_date_tail(const char *s, char *out, size_t size)
{
	char fraction[7] = "000000";
	size_t n = 0;
	int hours, minutes = 0;
	char sign;

	if (*s == '.') {
		n = strspn(s + 1, DIGITS);
		memcpy(fraction, s + 1, n < 6 ? n : 6);
		s += 1 + n;
	}
	if (strcmp(fraction, "000000") != 0)
		n = (size_t)snprintf(out, size, ".%s", fraction);
	else
		n = 0;
	out[n] = '\0';
	if (*s == '\0')
		return true;
	s += strspn(s, " \t");
	if (strcmp(s, "Z") == 0) {
		snprintf(out + n, size - n, "+00:00");
		return true;
	}
	sign = *s;
	if (sign != '+' && sign != '-')
		return false;
	s++;
	hours = read_digits(&s, 1, 2);
	if (*s == ':') {
		s++;
		minutes = read_digits(&s, 2, 2);
	}
	if (hours < 0 || hours > 23 || minutes < 0 || *s)
		return false;
	snprintf(out + n, size - n, "%c%02d:%02d", sign, hours, minutes);
	return true;
}

static int
days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* 2026-01-31, or with a time of day; out gets it as Python's isoformat() has it. */
static bool
read_date(const char *s, char out[80])
{
	char tail[16];
	int year, month, day, hour, minute, second;
	size_t blanks;
	bool short_form = strlen(s) == 10;

	year = read_digits(&s, 4, 4);
	if (year < 1 || *s++ != '-')
		return false;
	month = read_digits(&s, 1, 2);
	if (month < 1 || month > 12 || *s++ != '-')
		return false;
	day = read_digits(&s, 1, 2);
	if (day < 1 || day > days_of(year, month))
		return false;
	if (*s == '\0') {
		snprintf(out, 80, "%04d-%02d-%02d", year, month, day);
		return short_form;
	}
	blanks = strspn(s, " \t");
	s += blanks ? blanks : (size_t)(*s == 'T' || *s == 't');
	hour = read_digits(&s, 1, 2);
	minute = *s == ':' ? (s++, read_digits(&s, 2, 2)) : -1;
	second = *s == ':' ? (s++, read_digits(&s, 2, 2)) : -1;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
		return false;
	if (!read_date_tail(s, tail, sizeof(tail)))
		return false;
	snprintf(out, 80, "%04d-%02d-%02dT%02d:%02d:%02d%s", year, month, day, hour, minute, second,
		tail);
	return true;
}

void
yscalar_resolve(struct arena *a, struct ynode *y)
{
	char date[80];

	y->type = YT_TEXT;
	if (ONE_OF(y->text, "", "~", "null", "Null", "NULL")) {
		y->type = YT_NULL;
	} else if (ONE_OF(y->text, "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")) {
		y->type = YT_BOOL;
		y->truth = true;
	} else if (ONE_OF(y->text, "no", "No", "NO", "false", "False", "FALSE", "off", "Off",
	    "OFF")) {
		y->type = YT_BOOL;
	} else if (read_float(y->text, &y->number)) {
		y->type = YT_NUMBER;
	} else if (read_int(y->text, &y->number)) {
		y->type = YT_NUMBER;
		y->whole = true;
	} else if (read_date(y->text, date)) {
		y->type = YT_DATE;
		y->text = arena_strdup(a, date);
	}
	y->key_only = ONE_OF(y->text, "<<", "=");
}
