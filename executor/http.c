#include "executor/http.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "util/buf.h"
#include "util/text.h"

enum { ANSWER_BYTES = 200 };     /* of the answer, kept for the message */

#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct library {
	void *handle;
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	CURLcode (*easy_perform)(CURL *);
	void (*easy_cleanup)(CURL *);
	const char *(*easy_strerror)(CURLcode);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free_all)(struct curl_slist *);
} curl;

/* ISO C has no cast from an object's pointer to a function's; POSIX promises that this works. */
static bool
find(const char *name, void *function)
{
	void *found = dlsym(curl.handle, name);

	memcpy(function, &found, sizeof(found));
	return found != NULL;
}

static int
load(struct err *err)
{
	static const char *const files[] = { "libcurl.so.4", "libcurl.4.dylib", "libcurl.so" };

	for (size_t i = 0; !curl.handle && i < sizeof(files) / sizeof(files[0]); i++)
		curl.handle = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
	if (!curl.handle)
		return err_set(err, "libcurl cannot be loaded: %s", dlerror());
	if (find("curl_easy_init", &curl.easy_init) &&
	    find("curl_easy_setopt", &curl.easy_setopt) &&
	    find("curl_easy_getinfo", &curl.easy_getinfo) &&
	    find("curl_easy_perform", &curl.easy_perform) &&
	    find("curl_easy_cleanup", &curl.easy_cleanup) &&
	    find("curl_easy_strerror", &curl.easy_strerror) &&
	    find("curl_slist_append", &curl.slist_append) &&
	    find("curl_slist_free_all", &curl.slist_free_all))
		return 0;
	return err_set(err, "libcurl lacks a function");
}

static size_t
take_answer(char *data, size_t size, size_t n, void *self)
{
	struct buf *answer = self;
	size_t len = size * n, room = ANSWER_BYTES - answer->len;

	buf_add(answer, data, len < room ? len : room);
	return len;
}

static void
set_options(CURL *c, const struct http_post *p, struct buf *answer, char *fault)
{
	const char *certificates = getenv("SSL_CERT_FILE");

	curl.easy_setopt(c, CURLOPT_URL, p->url);
	curl.easy_setopt(c, CURLOPT_POST, 1L);
	curl.easy_setopt(c, CURLOPT_POSTFIELDS, p->body);
	curl.easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(p->body));
	curl.easy_setopt(c, CURLOPT_USERAGENT, "heddle/" HEDDLE_VERSION);
	curl.easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)p->timeout_ms);
	curl.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl.easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);    /* a resolver that hangs holds nobody */
#endif
	curl.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl.easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl.easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	if (certificates && *certificates)
		curl.easy_setopt(c, CURLOPT_CAINFO, certificates);
	curl.easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
	curl.easy_setopt(c, CURLOPT_WRITEDATA, answer);
	curl.easy_setopt(c, CURLOPT_ERRORBUFFER, fault);
}

int
http_post(const struct http_post *p, struct err *err)
{
	char fault[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	struct buf answer = BUF_INIT;
	long status = 0;
	CURLcode code;
	CURL *c;
	int rc = 0;

	/* libcurl knows many more protocols. */
	if (!text_starts(p->url, "http://") && !text_starts(p->url, "https://"))
		return err_set(err, "the address begins neither with http:// nor with https://");
	if (load(err) < 0)
		return -1;
	c = curl.easy_init();
	if (!c)
		return err_set(err, "libcurl does not start");
	headers = curl.slist_append(headers, "Content-Type: application/json");
	headers = curl.slist_append(headers, "Expect:");
	for (size_t i = 0; p->headers && p->headers[i]; i++)
		headers = curl.slist_append(headers, p->headers[i]);
	set_options(c, p, &answer, fault);
	curl.easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	code = curl.easy_perform(c);
	if (code == CURLE_OK)
		curl.easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		rc = err_set(err, "%s", *fault ? fault : curl.easy_strerror(code));
	else if (status < 200 || status > 299)
		rc = err_set(err, "the server answered %ld%s%s", status, answer.len ? ": " : "",
		    buf_str(&answer));
	curl.slist_free_all(headers);
	curl.easy_cleanup(c);
	buf_release(&answer);
	return rc;
}
