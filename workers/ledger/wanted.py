"""Who wants a unit of work: a group or a batch may serve several jobs, of which some are paused or cancelled.

SQL fragments over a row `s` of `stages`.
"""

#: A job that is not paused waits for a recording of the unit.
WANTED_NOW = """
    (s.group_id IS NOT NULL AND EXISTS (
            SELECT FROM group_members m
              JOIN job_recordings r ON r.alignment_id = m.alignment_id AND r.state = 'aligning'
              JOIN jobs w ON w.id = r.job_id AND w.paused_at IS NULL
             WHERE m.group_id = s.group_id)
     OR s.batch_id IS NOT NULL AND EXISTS (
            SELECT FROM batch_members m
              JOIN job_recordings r ON r.alignment_id = m.alignment_id
                                   AND r.profile_version_id = m.profile_version_id AND r.state = 'scoring'
              JOIN jobs w ON w.id = r.job_id AND w.paused_at IS NULL
             WHERE m.batch_id = s.batch_id))
"""

#: The stage may be worked on: its job is not paused, or another one that is not paused wants it too.
NOT_PAUSED = f"""
    ((SELECT paused_at FROM jobs WHERE jobs.id = s.job_id) IS NULL OR {WANTED_NOW})
"""

#: No live job wants anything of the unit any more.
UNWANTED = """
    (s.group_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM group_members m JOIN job_recordings r ON r.alignment_id = m.alignment_id
             WHERE m.group_id = s.group_id AND r.state = 'aligning')
     OR s.batch_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM batch_members m
              JOIN job_recordings r ON r.alignment_id = m.alignment_id
                                   AND r.profile_version_id = m.profile_version_id
             WHERE m.batch_id = s.batch_id AND r.state = 'scoring'))
"""
