#include "tests/check.h"

#include <unistd.h>

#include "util/fs.h"
#include "util/git.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void
put(const char *path, const char *text)
{
	struct err err = ERR_INIT;
	char *dir = strndup(path, (size_t)(fs_base(path) - path));

	assert_int_equal(fs_mkdirs(dir, &err), 0);
	assert_int_equal(fs_replace(path, text, strlen(text), 0600, &err), 0);
	free(dir);
}

static void
commit_is(const char *dir, const char *expected)
{
	char *found = git_commit(dir);

	if (expected && found)
		assert_string_equal(found, expected);
	else
		assert_ptr_equal(found, expected);
	free(found);
}

static void
test_head_branch_and_packed_refs(void **state)
{
	(void)state;
	put("one/.git/HEAD", A "\n");
	commit_is("one", A);
	put("one/.git/HEAD", "ref: refs/heads/main\n");
	commit_is("one", NULL);                       /* no commit yet */
	put("one/.git/packed-refs", "# pack-refs with: peeled\n" A " refs/heads/maintenance\n" C
	    " refs/heads/main\n^" A "\n");
	commit_is("one", C);
	put("one/.git/refs/heads/main", B "\n");      /* newer than what was packed */
	put("one/models/staging/x.sql", "select 1");
	commit_is("one/models/staging", B);
}

static void
test_linked_worktree(void **state)
{
	(void)state;
	put("main/.git/HEAD", "ref: refs/heads/main\n");
	put("main/.git/refs/heads/topic", B "\n");
	put("main/.git/worktrees/topic/HEAD", "ref: refs/heads/topic\n");
	put("main/.git/worktrees/topic/commondir", "../..\n");
	put("topic/.git", "gitdir: ../main/.git/worktrees/topic\n");
	commit_is("topic", B);
}

static void
test_what_is_no_hash_is_no_commit(void **state)
{
	(void)state;
	put("bad/.git/HEAD", "ref: refs/heads/loop\n");
	put("bad/.git/refs/heads/loop", "ref: refs/heads/loop\n");
	commit_is("bad", NULL);
	put("bad/.git/HEAD", "<script>\n");
	commit_is("bad", NULL);
	put("bad/.git/HEAD", "");
	commit_is("bad", NULL);
	assert_int_equal(chdir("/"), 0);
	commit_is("/", NULL);
}

int
main(void)
{
	char dir[] = "heddle-git.XXXXXX";    /* tests/run.sh gives each test a folder */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_branch_and_packed_refs),
		cmocka_unit_test(test_linked_worktree),
		cmocka_unit_test(test_what_is_no_hash_is_no_commit),
	};

	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
