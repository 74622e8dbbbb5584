#include "executor/template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

enum { LITERAL = -1 };

/* Part of a word: a text, or a field. */
struct piece {
	int field;               /* enum template_field, or LITERAL */
	bool quoted;             /* {name:q} */
	bool ends_word;
	char *text;              /* LITERAL; owned */
};

struct template {
	struct piece *pieces;    /* the words, when no shell is needed */
	size_t npieces, cap;
	size_t nwords;
	char *script;            /* for /bin/sh -c; NULL: no shell */
	unsigned wants_quoted;   /* 1u << field: the script has {field:q} */
};

static const char *const field_names[] = {
#define X(id, name, variable) name,
	TEMPLATE_FIELDS(X)
#undef X
};

static const char *const field_variables[] = {
#define X(id, name, variable) variable,
	TEMPLATE_FIELDS(X)
#undef X
};

/* ---- parsing ---- */

struct parser {
	struct template *t;
	const char *at;
	char quote;              /* open quote, or 0 */
	bool in_word;            /* a word has begun, perhaps with nothing in it yet */
	bool shell;              /* something only a shell does was seen */
	struct buf literal;      /* of the piece under construction */
	struct buf script;
	struct err *err;
};

static void
add_piece(struct parser *p, int field, bool quoted)
{
	struct template *t = p->t;

	t->pieces = xgrow(t->pieces, t->npieces, &t->cap, sizeof(*t->pieces));
	t->pieces[t->npieces++] = (struct piece){ .field = field, .quoted = quoted,
		.text = field == LITERAL ? xstrdup(buf_str(&p->literal)) : NULL };
	if (field == LITERAL)
		buf_truncate(&p->literal, 0);
}

static void
end_word(struct parser *p)
{
	struct template *t = p->t;

	if (!p->in_word)
		return;
	if (p->literal.len > 0 || t->npieces == 0 || t->pieces[t->npieces - 1].ends_word)
		add_piece(p, LITERAL, false);
	t->pieces[t->npieces - 1].ends_word = true;
	t->nwords++;
	p->in_word = false;
}

static void
add_char(struct parser *p, char c)
{
	buf_addc(&p->literal, c);
	p->in_word = true;
}

/* A variable in the script: its text is not read again, whatever quotes are open around it. */
static void
add_variable(struct parser *p, int field, bool quoted)
{
	const char *before = p->quote == '\'' ? "'\"" : p->quote ? "" : "\"";
	const char *after = p->quote == '\'' ? "\"'" : p->quote ? "" : "\"";

	buf_addf(&p->script, "%s${%s%s}%s", before, field_variables[field], quoted ? "_QUOTED" : "",
	    after);
	if (quoted)
		p->t->wants_quoted |= 1u << field;
}

/* A field at p->at. 1 = taken, 0 = braces of another kind, -1 = err. */
static int
take_field(struct parser *p)
{
	const char *name = p->at + 1;
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
	bool quoted = strncmp(name + n, ":q}", 3) == 0;
	const char *near;
	char *word;

	if (n == 0 || (!quoted && name[n] != '}') || p->at[-1] == '$')
		return 0;
	for (int f = 0; f < NTEMPLATE_FIELDS; f++) {
		if (strlen(field_names[f]) != n || strncmp(name, field_names[f], n) != 0)
			continue;
		if (p->literal.len > 0)
			add_piece(p, LITERAL, false);
		add_piece(p, f, quoted);
		add_variable(p, f, quoted);
		p->in_word = true;
		p->at = name + n + (quoted ? 3 : 1);
		return 1;
	}
	word = xstrndup(name, n);
	near = text_closest(word, field_names, NTEMPLATE_FIELDS);
	if (near) {
		err_set(p->err, "unknown field '{%s}'", word);
		err_hint(p->err, "did you mean '{%s}'?", near);
	}
	free(word);
	return near ? -1 : 0;
}

/* One character outside quotes that is not a field. */
static void
take_plain(struct parser *p)
{
	char c = *p->at;

	if (c == '\\' && p->at[1]) {
		buf_add(&p->script, p->at, 2);
		if (p->at[1] != '\n')
			add_char(p, p->at[1]);
		p->at += 2;
		return;
	}
	buf_addc(&p->script, c);
	p->at++;
	if (c == '\'' || c == '"') {
		p->quote = c;
		p->in_word = true;
	} else if (strchr(" \t|&;<>()\n", c)) {
		if (c != ' ' && c != '\t')
			p->shell = true;
		end_word(p);
	} else {
		if (strchr("$`*?[~", c) || (c == '#' && !p->in_word) ||
		    (c == '=' && p->t->nwords == 0))
			p->shell = true;
		add_char(p, c);
	}
}

static void
take_quoted(struct parser *p)
{
	char c = *p->at;

	if (c == p->quote) {
		p->quote = 0;
	} else if (p->quote == '"' && c == '\\' && p->at[1] && strchr("$`\"\\\n", p->at[1])) {
		buf_addc(&p->script, c);
		c = *++p->at;
		if (c != '\n')
			add_char(p, c);
	} else {
		if (p->quote == '"' && (c == '$' || c == '`'))
			p->shell = true;
		add_char(p, c);
	}
	buf_addc(&p->script, *p->at++);
}

static int
split(struct parser *p)
{
	while (*p->at) {
		int rc = *p->at == '{' ? take_field(p) : 0;

		if (rc < 0)
			return -1;
		if (rc > 0)
			continue;
		if (p->quote)
			take_quoted(p);
		else
			take_plain(p);
	}
	if (p->quote)
		return err_set(p->err, "a quote (%c) is not closed", p->quote);
	end_word(p);
	return p->t->nwords ? 0 : err_set(p->err, "it is empty");
}

/* ---- what the words are ---- */

static bool
is_one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

/* The text of the word that begins at piece i, when it is one literal; else NULL. */
static const char *
word_at(const struct template *t, size_t i)
{
	const struct piece *x = &t->pieces[i];

	return x->ends_word && x->field == LITERAL ? x->text : NULL;
}

/* Commands that are no programs (POSIX, 2.9.1.4 and 2.14), or words of the shell's grammar. */
static bool
is_shells_own(const char *word)
{
	static const char *const own[] = {
		"!", ".", ":", "alias", "break", "case", "cd", "command", "continue", "eval",
		"exec", "exit",
		"export", "for", "if", "read", "readonly", "return", "set", "shift", "time",
		"times", "trap",
		"type", "ulimit", "umask", "unset", "until", "wait", "while", "{", NULL
	};

	return is_one_of(word, own);
}

/* -c, -lc, -ec ... */
static bool
is_script_option(const char *word)
{
	size_t n = strlen(word);

	return n >= 2 && word[0] == '-' && word[1] != '-' && word[n - 1] == 'c';
}

/* Some commands hand their words to a shell, which would read a node's name as its own. */
static int
check_inner_shells(const struct template *t, struct err *err)
{
	static const char *const remote[] = { "autossh", "eval", "rsh", "ssh", NULL };
	static const char *const shells[] = { "ash", "bash", "dash", "ksh", "mksh", "sh", "zsh",
	    NULL };
	const char *outer = NULL, *shell = NULL;
	bool all = false, next = false, starts = true;

	for (size_t i = 0; i < t->npieces; i++) {
		const struct piece *x = &t->pieces[i];
		const char *word = starts ? word_at(t, i) : NULL;

		if (x->field != LITERAL && !x->quoted && (all || next)) {
			err_set(err, "'%s' hands the field {%s} to a shell, which would read it",
			    outer, field_names[x->field]);
			return err_hint(err, "write {%s:q} there: it is quoted once more",
			    field_names[x->field]);
		}
		starts = x->ends_word;
		if (x->ends_word)
			next = false;
		if (!word)
			continue;
		if (is_one_of(fs_base(word), remote)) {
			outer = word;
			all = true;
		} else if (is_one_of(fs_base(word), shells)) {
			shell = word;
		} else if (shell && is_script_option(word)) {
			outer = all ? outer : shell;
			next = true;
		} else if (word[0] != '-') {
			shell = NULL;
		}
	}
	return 0;
}

struct template *
template_parse(const char *text, struct err *err)
{
	struct template *t = xcalloc(1, sizeof(*t));
	struct buf trimmed = BUF_INIT;
	struct parser p = { .t = t, .err = err };
	const char *first;
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	for (n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]); n--)
		;
	buf_addc(&trimmed, ' ');     /* so that a character has one before it */
	buf_add(&trimmed, text, n);
	p.at = trimmed.data + 1;
	if (split(&p) < 0 || check_inner_shells(t, err) < 0) {
		template_free(t);
		t = NULL;
	} else {
		first = word_at(t, 0);
		if (p.shell || (first && is_shells_own(first)))
			t->script = buf_detach(&p.script);
	}
	buf_release(&p.literal);
	buf_release(&p.script);
	buf_release(&trimmed);
	return t;
}

void
template_free(struct template *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->npieces; i++)
		free(t->pieces[i].text);
	free(t->pieces);
	free(t->script);
	free(t);
}

bool
template_needs_shell(const struct template *t)
{
	return t->script != NULL;
}

const char *
template_program(const struct template *t)
{
	const char *word = t->script ? NULL : word_at(t, 0);

	return word && !strchr(word, '/') ? word : NULL;
}

/* ---- filling ---- */

/* At most this much: the text must not move once words point into it. */
static size_t
room_for(const struct template *t, const char *const values[])
{
	size_t n = 0;

	for (size_t i = 0; i < t->npieces; i++)
		n += 1 + (t->pieces[i].field == LITERAL ? strlen(t->pieces[i].text) :
		    4 * strlen(values[t->pieces[i].field]) + 2);
	for (int f = 0; f < NTEMPLATE_FIELDS; f++)
		n += 2 * (strlen(field_variables[f]) + sizeof("_QUOTED=''")) +
		    5 * strlen(values[f]);
	return n;
}

static void
fill_words(const struct template *t, const char *const values[], struct template_call *call)
{
	const char **arg = call->argv;
	bool starts = true;

	for (size_t i = 0; i < t->npieces; i++) {
		const struct piece *x = &t->pieces[i];

		if (starts)
			*arg++ = call->text.data + call->text.len;
		if (x->field == LITERAL)
			buf_adds(&call->text, x->text);
		else if (x->quoted)
			text_add_shell_word(&call->text, values[x->field]);
		else
			buf_adds(&call->text, values[x->field]);
		starts = x->ends_word;
		if (starts)
			buf_addc(&call->text, '\0');
	}
	*arg = NULL;
}

static void
fill_variables(const struct template *t, const char *const values[], struct template_call *call)
{
	const char **var = call->env;

	for (int f = 0; f < NTEMPLATE_FIELDS; f++) {
		*var++ = call->text.data + call->text.len;
		buf_adds(&call->text, field_variables[f]);
		buf_addc(&call->text, '=');
		buf_add(&call->text, values[f], strlen(values[f]) + 1);
		if (!(t->wants_quoted & 1u << f) || !t->script)
			continue;
		*var++ = call->text.data + call->text.len;
		buf_adds(&call->text, field_variables[f]);
		buf_adds(&call->text, "_QUOTED=");
		text_add_shell_word(&call->text, values[f]);
		buf_addc(&call->text, '\0');
	}
	*var = NULL;
}

void
template_fill(const struct template *t, const char *const values[NTEMPLATE_FIELDS],
    struct template_call *call)
{
	if (!call->argv) {
		call->argv = xcalloc((t->script ? 3 : t->nwords) + 1, sizeof(*call->argv));
		call->env = xcalloc(2 * NTEMPLATE_FIELDS + 1, sizeof(*call->env));
	}
	buf_truncate(&call->text, 0);
	buf_reserve(&call->text, room_for(t, values) + 1);
	fill_variables(t, values, call);
	if (!t->script) {
		fill_words(t, values, call);
		return;
	}
	call->argv[0] = "/bin/sh";
	call->argv[1] = "-c";
	call->argv[2] = t->script;
}

void
template_call_release(struct template_call *call)
{
	free(call->argv);
	free(call->env);
	buf_release(&call->text);
	*call = (struct template_call)TEMPLATE_CALL_INIT;
}
